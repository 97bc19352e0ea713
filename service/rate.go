package service

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// Rates bound the requests that are made with keys, on each replica, per second. For a moment
// there may be twice as many. 0: as many as come.
type Rates struct {
	PerKey     float64
	PerAccount float64 // of all its keys
}

// newLimiter returns what bounds to so many requests per second, or nil.
func newLimiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(2*perSecond)))
}

// allow tells whether there may be another request.
func allow(l *rate.Limiter, now time.Time) bool { return l == nil || l.AllowN(now, 1) }
