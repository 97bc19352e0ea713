package web

import (
	"testing"
	"time"

	"tusq/service"
)

func TestFormat(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct{ got, want string }{
		{formatDuration(0), "0 s"},
		{formatDuration(90 * time.Second), "1 min 30 s"},
		{formatDuration(12 * time.Hour), "12 h"},
		{formatDuration(day), "1 day"},
		{formatDuration(4*day + time.Hour), "4 days 1 h"},
		{formatAge(-time.Second), "0 s"},
		{formatAge(999 * time.Millisecond), "0 s"},
		{formatAge(119 * time.Second), "1 min"},
		{formatAge(3*day + 23*time.Hour), "3 days"},
		{formatCount(0), "0"},
		{formatCount(999), "999"},
		{formatCount(1000), "1,000"},
		{formatCount(1234567), "1,234,567"},
		{formatCount(-1234), "-1,234"},
		{formatCount(-123), "-123"},
		{formatBytes(0), "0 B"},
		{formatBytes(1023), "1023 B"},
		{formatBytes(1536), "1.5 KiB"},
		{formatBytes(service.MaxMessageBytes), "1 MiB"},
		{oneLine("  a\n\tb  c ", 100), "a b c"},
		{oneLine("äöü", 3), "ä…"},
		{oneLine("\xff\xff\xff", 2), "\xff\xff…"},
		{oneLine("\x80\x80\x80", 2), "…"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for typed, want := range map[string]time.Duration{
		"0": 0, "30": 30 * time.Second, " 30S ": 30 * time.Second, "5 m": 5 * time.Minute, "12h": 12 * time.Hour,
		"4d": 96 * time.Hour, "-3": -3 * time.Second,
	} {
		got, err := parseDuration("f", "It", typed)
		if err != nil || *got != want {
			t.Errorf("%q: %v, %v, want %v", typed, got, err, want)
		}
	}
	for _, typed := range []string{"x", "d", "1.5h", "1h30m", "3155760000", "9223372036854775807", "99999999999999999999", "106751991167d", "-106751991167d"} {
		if got, err := parseDuration("f", "It", typed); service.ErrorField(err) != "f" {
			t.Errorf("%q: %v, %v, want an error about f", typed, got, err)
		}
	}
	if got, err := parseDuration("f", "It", "  "); got != nil || err != nil {
		t.Errorf("nothing typed: %v, %v, want nothing", got, err)
	}
}
