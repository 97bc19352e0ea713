//go:build !fault

package repository

import (
	"context"

	"tusq/service"
)

// In this build nothing is wrong on purpose: see package faultpoint.

func (r *Repository) seededCounts(_ context.Context, _ []service.QueueWork, executed func(), _ bool) func() {
	return executed
}
