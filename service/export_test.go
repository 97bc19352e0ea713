package service

// Listening is closed once the service hears of other replicas' events.
func (s *Service) Listening() <-chan struct{} { return s.listening }
