package service

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestAttempts(t *testing.T) {
	a := newAttempts()
	now := time.Now()
	a.now = func() time.Time { return now }
	ann := SignIn{Account: "1", User: "ann", From: netip.MustParseAddr("192.0.2.1")}
	elsewhere := ann
	elsewhere.From = netip.MustParseAddr("192.0.2.2")
	bob := ann
	bob.User = "bob"
	other := elsewhere
	other.User = "bob"
	try := func(signIn SignIn) bool { return a.take(a.of(signIn)) }

	for i := range failedBurst {
		if !try(ann) {
			t.Fatalf("attempt %d was refused", i+1)
		}
	}
	for name, refused := range map[string]SignIn{"the same": ann, "the name from elsewhere": elsewhere, "the address for another name": bob} {
		if try(refused) {
			t.Errorf("%s: not refused", name)
		}
	}
	if !try(other) {
		t.Error("another name from another address was refused")
	}
	now = now.Add(failedEvery)
	if !try(ann) || try(ann) {
		t.Error("not one more attempt after a while")
	}
	a.giveBack(a.of(ann)) // it did not fail
	if !try(ann) || try(ann) {
		t.Error("an attempt that did not fail was counted")
	}
}

func TestAttemptsOfANetworkCountTogether(t *testing.T) {
	a := newAttempts()
	key := SignIn{Token: "tusq_x"}
	of := func(from string) attempt {
		key.From = netip.MustParseAddr(from)
		all := a.of(key)
		if len(all) != 1 {
			t.Fatalf("an attempt by a key counts for %d", len(all))
		}
		return all[0]
	}
	if of("2001:db8::1") != of("2001:db8::ffff:1") || of("2001:db8::1") == of("2001:db8:0:1::1") {
		t.Error("IPv6 addresses are not counted by their network")
	}
	if of("192.0.2.1") == of("192.0.2.2") || of("192.0.2.1") != of("::ffff:192.0.2.1") {
		t.Error("IPv4 addresses are not counted one by one")
	}
}

// What is counted needs no more room than there is: what finds none is counted together.
func TestAttemptsAreBounded(t *testing.T) {
	a := newAttempts()
	now := time.Now()
	a.now = func() time.Time { return now }
	refused := 0
	for i := range 3 * failedCount {
		if !a.take([]attempt{attemptOf("user", fmt.Sprint(i))}) {
			refused++
		}
	}
	if len(a.full) > failedCount+1 || refused != 2*failedCount-failedBurst {
		t.Errorf("%d are kept and %d were refused", len(a.full), refused)
	}
	now = now.Add(failedEvery)
	if !a.take([]attempt{attemptOf("user", "ann")}) || len(a.full) > failedBurst {
		t.Errorf("%d are kept after a while", len(a.full))
	}
}
