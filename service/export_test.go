package service

import "context"

// Listening is closed once the service hears of other replicas' events.
func (s *Service) Listening() <-chan struct{} { return s.listening }

// Hear does what an event of another replica does.
func (s *Service) Hear(e Event) { s.receiveEvent(e) }

// Sweep looks for what slipped under a floor, as the periodic sweep does.
func (s *Service) Sweep(ctx context.Context) error { return s.sweep(ctx) }

// ForgetOthers makes a replica believe that it is alone.
func (s *Service) ForgetOthers() { s.heard.Store(0) }
