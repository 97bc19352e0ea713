package service

// Waiters returns how many receives wait at a queue on this replica.
func (s *Service) Waiters(queueID int64) int { return s.hub.Waiters(queueID) }
