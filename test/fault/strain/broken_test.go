package strain

import (
	"testing"
	"time"
)

func TestWhatAStrainMayCost(t *testing.T) {
	steady := [parts]float64{1000, 1100, 900, 1000}
	for _, c := range []struct {
		what   string
		report Report
		broken bool
	}{
		{"nothing", Report{Without: steady, With: steady, After: steady, Cleared: 1}, false},
		{"a moment", Report{Without: steady, With: [parts]float64{1000, 100, 900, 800}, After: steady, Cleared: 1}, false},
		{"too much", Report{Without: steady, With: [parts]float64{1000, 600, 650, 700}, After: steady, Cleared: 1}, true},
		{"for ever", Report{Without: steady, With: steady, After: [parts]float64{600, 600, 600, 600}, Cleared: 1}, true},
		{"dead rows that stay", Report{Without: steady, With: steady, After: steady}, true},
	} {
		if fault := c.report.Broken(); (fault != "") != c.broken {
			t.Errorf("%s: %q", c.what, fault)
		}
	}
}

func TestWhatExpiryMayCost(t *testing.T) {
	took := func(send, receive time.Duration) Latencies {
		return Latencies{Send: Latency{P99: send * time.Millisecond}, Receive: Latency{P99: receive * time.Millisecond}}
	}
	for _, c := range []struct {
		what   string
		report ExpiryReport
		broken bool
	}{
		{"nothing", ExpiryReport{Quiet: took(15, 15), Meanwhile: took(15, 15)}, false},
		{"what may be noise", ExpiryReport{Quiet: took(1, 1), Meanwhile: took(19, 19)}, false},
		{"less than twice", ExpiryReport{Quiet: took(15, 15), Meanwhile: took(29, 29)}, false},
		{"slow sends", ExpiryReport{Quiet: took(15, 15), Meanwhile: took(31, 15)}, true},
		{"slow receives", ExpiryReport{Quiet: took(1, 1), Meanwhile: took(1, 21)}, true},
		{"a message", ExpiryReport{Early: 1}, true},
		{"an expired one that is left", ExpiryReport{Left: 1}, true},
	} {
		if fault := c.report.Broken(); (fault != "") != c.broken {
			t.Errorf("%s: %q", c.what, fault)
		}
	}
}
