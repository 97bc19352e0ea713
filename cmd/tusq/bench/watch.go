package bench

import (
	"context"
	"runtime"
	"time"
)

const sampleEvery = 500 * time.Millisecond // of the processes' memory

// watcher measures what the server's processes, its database and this process spend while
// the load runs. What cannot be measured is told, and left out of the result.
type watcher struct {
	note     func(format string, args ...any)
	pids     []int
	own      *float64  // this process's CPU seconds at the begin
	server   processes // the server's at the begin; nil: not measured
	peaks    map[string]int64
	database *statistics // nil: not measured

	stop  context.CancelFunc
	ended chan struct{} // closed after the last sample
}

// watch begins to measure.
func watch(ctx context.Context, o *Options) *watcher {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	w := &watcher{note: o.Note, pids: o.ServerPIDs, stop: stop, ended: make(chan struct{}), peaks: map[string]int64{}}
	if o.DatabaseURL != "" {
		database, err := openStatistics(ctx, o.DatabaseURL)
		if err != nil {
			w.note("the database is not measured: %v", err)
		}
		w.database = database
	}
	if seconds, err := ownCPU(); err == nil {
		w.own = &seconds
	} else {
		w.note("CPU and memory are not measured on %s: %v", runtime.GOOS, err)
	}
	if w.own != nil && len(w.pids) > 0 {
		server, err := readProcesses(w.pids)
		if err != nil {
			w.note("the server's CPU and memory are not measured: %v", err)
		}
		w.server = server
	}
	go w.sample(ctx)
	return w
}

// sample notes the processes' memory now and then.
func (w *watcher) sample(ctx context.Context) {
	defer close(w.ended)
	if w.server == nil {
		return
	}
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if now, err := readProcesses(w.pids); err == nil {
				w.addPeaks(now)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (w *watcher) addPeaks(now processes) {
	for name, bytes := range now.memory() {
		w.peaks[name] = max(w.peaks[name], bytes)
	}
	for name, bytes := range now.newPeaks(w.server) {
		w.peaks[name] = max(w.peaks[name], bytes)
	}
}

// end returns what was spent since the begin, on so many messages in so many seconds.
func (w *watcher) end(messages int64, seconds float64) Server {
	var s Server
	if w.own != nil {
		if now, err := ownCPU(); err == nil {
			s.ClientCPUSeconds = new(now - *w.own)
			s.ClientCPUPer = perMessage(*s.ClientCPUSeconds*1e6, messages)
		}
	}
	w.endProcesses(&s, messages)
	if w.database != nil {
		if err := w.database.end(&s, messages, seconds); err != nil {
			w.note("the database is not measured: %v", err)
		}
	}
	return s
}

func (w *watcher) endProcesses(s *Server, messages int64) {
	w.stop()
	<-w.ended
	if w.server == nil {
		return
	}
	now, err := readProcesses(w.pids)
	if err != nil {
		w.note("the server's CPU and memory are not measured: %v", err)
		return
	}
	w.addPeaks(now)
	before := w.server.cpu()
	s.CPUSeconds, s.CPUPerMessage, s.PeakRSS = map[string]float64{}, map[string]float64{}, w.peaks
	for name, seconds := range now.cpu() {
		s.CPUSeconds[name] = max(0, seconds-before[name])
		if per := perMessage(s.CPUSeconds[name]*1e6, messages); per != nil {
			s.CPUPerMessage[name] = *per
		}
	}
	if messages == 0 {
		s.CPUPerMessage = nil
	}
}

// perMessage divides, or returns nil for no messages.
func perMessage(total float64, messages int64) *float64 {
	if messages == 0 {
		return nil
	}
	return new(total / float64(messages))
}
