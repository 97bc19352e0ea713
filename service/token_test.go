package service

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	made := NewCredentials()
	token := made.Token().Reveal()
	if got, ok := ParseToken(token); !ok || got != made {
		t.Fatalf("the token %q is not read as what was written", token)
	}
	if got, ok := ParseCredentials(made.KeyID + ":" + made.Secret.Reveal()); !ok || got != made {
		t.Error("id and secret are not read")
	}
	// Every change of one character is noticed by the checksum or the form.
	for i := range token {
		for _, c := range []string{"0", "a", "Z", "_", "\xff", ""} {
			changed := token[:i] + c + token[i+1:]
			if _, ok := ParseToken(changed); ok && changed != token {
				t.Errorf("%q is taken for a token", changed)
			}
		}
	}
	// What has a right checksum, and a wrong form.
	for _, body := range []string{
		"tusq_" + made.KeyID + "_" + strings.Repeat("-", secretLength),
		"tusq_AB" + made.KeyID[2:] + "_" + made.Secret.Reveal(),
		"tusq_TQ000000000000000000_" + made.Secret.Reveal(),
		"tusq_" + made.KeyID + "a" + made.Secret.Reveal(),
		"tasq_" + made.KeyID + "_" + made.Secret.Reveal(),
	} {
		if _, ok := ParseToken(body + "_" + checksum(body)); ok {
			t.Errorf("%q is taken for a token", body)
		}
	}
}

// A token's form is a promise: those who search for leaked secrets know it.
func TestTokenForm(t *testing.T) {
	made := Credentials{KeyID: "TQABCDEFGHIJKLMNOPQR", Secret: Secret(strings.Repeat("a", secretLength))}
	want := "tusq_TQABCDEFGHIJKLMNOPQR_" + strings.Repeat("a", secretLength) + "_" + checksum("tusq_TQABCDEFGHIJKLMNOPQR_"+strings.Repeat("a", secretLength))
	if got := made.Token().Reveal(); got != want || len(got) != 76 {
		t.Errorf("the token is %q", got)
	}
	if sum := checksum("123456789"); sum != "3jZRME" { // CRC-32 is CBF43926
		t.Errorf("the checksum is %q", sum)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	made := NewCredentials()
	master := NewMasterKey()
	keys, err := ParseMasterKeys(master.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("all", "credentials", made, "secret", made.Secret, "master", master, "keys", keys)
	text := fmt.Sprintf("%v %+v %#v %s %q %v %+v %#v", made, made, made, made.Secret, made.Secret, keys, keys, keys) + log.String()
	for _, secret := range []string{made.Secret.Reveal(), master.Reveal()} {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is printed:\n%s", text)
		}
	}
}

func TestMasterKeys(t *testing.T) {
	one, two := NewMasterKey().Reveal(), NewMasterKey().Reveal()
	parse := func(text string) MasterKeys {
		keys, err := ParseMasterKeys(text)
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	made := NewCredentials()
	sealed, by, err := parse(one).seal(made)
	if err != nil || strings.Contains(string(sealed), made.Secret.Reveal()) {
		t.Fatalf("sealed %q, %v", sealed, err)
	}
	for _, keys := range []string{one, two + "\n" + one + "\n", one + "," + two} {
		if secret, ok := parse(keys).open(made.KeyID, sealed, by); !ok || secret != made.Secret {
			t.Error("a secret is not opened")
		}
	}
	if _, ok := parse(two).open(made.KeyID, sealed, by); ok {
		t.Error("another master key opens a secret")
	}
	if _, ok := parse(one).open(NewCredentials().KeyID, sealed, by); ok {
		t.Error("a secret is opened as another key's")
	}
	sealed[len(sealed)-1] ^= 1
	if _, ok := parse(one).open(made.KeyID, sealed, by); ok {
		t.Error("a changed secret is opened")
	}
	for _, bad := range []string{"", " \n", "short", one[1:], one + ",x", strings.TrimRight(one, "=") + "A"} {
		if _, err := ParseMasterKeys(bad); err == nil || len(bad) > 8 && strings.Contains(err.Error(), bad[:8]) {
			t.Errorf("master keys %q: %v", bad, err)
		}
	}
	if _, _, err := (MasterKeys{}).seal(made); ErrorCode(err) != CodeMasterKeyMissing {
		t.Errorf("sealed without a master key: %v", err)
	}
}

// Roles are no more than lists of actions.
func TestRoles(t *testing.T) {
	for _, role := range Roles {
		if len(RoleActions(role)) == 0 {
			t.Errorf("the role %s has no actions", role)
		}
	}
	if names := ActionNames(RoleActions("admin")); len(names) != 1 || names[0] != "*" {
		t.Errorf("an administrator's actions are %v", names)
	}
	for _, a := range RoleActions("operator") {
		if a == ActionManageKeys || a == ActionReadAudit {
			t.Errorf("an operator may %v", a)
		}
	}
	if actions, unknown := ParseActions([]string{"send_messages", "fly"}); unknown != "fly" || len(actions) != 1 {
		t.Errorf("parsed %v, %q", actions, unknown)
	}
}
