package repository

import (
	"strings"
	"testing"
	"time"

	"tusq/service"
)

// TestFloorStaysBelowWhatWasFoundButNotClaimed claims so that messages lose their places to
// others, or to the bound of bytes: the next claim has to find them.
func TestFloorStaysBelowWhatWasFoundButNotClaimed(t *testing.T) {
	big := strings.Repeat("x", 6<<20) // one would not go through the API
	for name, test := range map[string]struct {
		fresh, back int
		body        string
	}{
		"places go to those that came back": {4, 3, "small"},
		"too many bytes":                    {4, 0, big},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			back := s.send(test.back)
			if test.back > 0 {
				claimed := s.claim(test.back)
				for _, m := range claimed.Messages {
					s.flush(service.QueueWork{Extends: []*service.Settlement{{ID: m.ID, Lease: m.Lease}}})
				}
			}
			fresh := outgoing(test.fresh)
			for _, m := range fresh {
				m.Body = test.body
			}
			s.flush(service.QueueWork{Sends: fresh})
			found, from := 0, service.Floor{}
			for range 10 {
				c := claim(5)
				c.Returned, c.From = 3, from
				s.flush(service.QueueWork{Claims: []*service.Claim{c}})
				found += len(c.Messages)
				from = service.Floor{Fresh: c.Floor.Fresh.Add(-time.Microsecond), Returned: c.Floor.Returned.Add(-time.Microsecond)}
			}
			if want := len(back) + len(fresh); found != want {
				t.Errorf("found %d of %d messages", found, want)
			}
		})
	}
}
