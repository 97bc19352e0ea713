//go:build !fault

package service

import "context"

// In this build nothing is wrong on purpose: see package faultpoint.

type flushFunc = func(ctx context.Context, work []QueueWork, executed func()) error

func seededFlush(flush flushFunc) flushFunc { return flush }

func seededHandoffs(_ *parking, handoffs []handoff) []handoff { return handoffs }

func seededReflush(store Store, _ []*op) flushFunc { return store.Reflush }
