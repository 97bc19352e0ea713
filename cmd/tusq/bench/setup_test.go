package bench

import (
	"testing"
	"time"

	"tusq/test/testserver"
	"tusq/test/testservice"
)

func TestMain(m *testing.M) { testservice.Main(m) }

// quiet is a Progress that shows nothing.
type quiet struct{}

func (quiet) Begin(int64)      {}
func (quiet) At(int64, string) {}
func (quiet) End()             {}

// options are those of a small measurement.
func options(t testing.TB, workload string) Options {
	return Options{
		Workload: workload, Queues: 1, Connections: 4, Batch: 1, Size: 64, Groups: 3,
		WarmUp: 10 * time.Millisecond, Duration: 100 * time.Millisecond, Messages: 20,
		Progress: quiet{}, Note: t.Logf,
	}
}

// targets are the ways to measure one server, each of a server of its own.
func targets(t *testing.T, test func(t *testing.T, set func(*Options))) {
	server := testserver.New(t)
	for name, set := range map[string]func(*Options){
		"rest": func(o *Options) { o.URL = server },
		"sqs":  func(o *Options) { o.SQS = server },
		"sqs signed": func(o *Options) {
			o.SQS, o.Signing = server, Signing{AccessKey: "key", SecretKey: "secret", Region: testserver.Region}
		},
	} {
		t.Run(name, func(t *testing.T) { test(t, set) })
	}
}

// mustRun measures without any error, also without those that are counted.
func mustRun(t *testing.T, o Options) Report {
	t.Helper()
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range report.Calls {
		if len(call.Errors) > 0 || o.Workload != Idle && call.Messages == 0 {
			t.Errorf("%s: %+v", o.Workload, call)
		}
	}
	return report
}
