package lifecycle

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/jackc/pgx/v5"

	"tusq/client"
	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testserver"
	"tusq/test/testservice"
)

// world is a running service on a database of its own, whose time stands still but for
// Travel, with a server of every route. It ends with the test.
type world struct {
	Service  *service.Service
	Database string // its URL
	Surfaces []surface

	t      testing.TB
	others []*service.Service // by way of a pooler
	clock  *pgx.Conn
	now    time.Time
}

// freezeSQL lets tusq_now read a table that only Travel writes.
const freezeSQL = `
CREATE TABLE test_clock (now timestamptz NOT NULL);
INSERT INTO test_clock VALUES ($1);
CREATE OR REPLACE FUNCTION tusq_now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now FROM test_clock'`

// newWorld makes a world.
func newWorld(t testing.TB) *world {
	t.Helper()
	ctx := context.Background()
	w := &world{t: t, Database: pgtest.New(t), now: time.Now().Add(time.Hour).Truncate(time.Second).UTC()}
	var err error
	if w.clock, err = pgx.Connect(ctx, w.Database); err != nil {
		t.Fatalf("connect to the clock: %v", err)
	}
	t.Cleanup(func() { w.clock.Close(ctx) })
	if _, err := w.clock.Exec(ctx, freezeSQL, pgx.QueryExecModeSimpleProtocol, w.now); err != nil {
		t.Fatalf("stop the clock: %v", err)
	}
	secure := testserver.SecureOn(t, w.Database, service.Options{})
	w.Service = secure.Service
	open := httptest.NewServer(testserver.Handler(t, w.Service))
	t.Cleanup(open.Close)
	w.Surfaces = surfaces(t, secure, open.URL)
	return w
}

// surfaces are a service's. REST has a token and SQS JSON is signed, by an administrator; SQS Query
// comes by a server, at the URL open, that asks for neither.
func surfaces(t testing.TB, secure *testserver.Secure, open string) []surface {
	ctx := context.Background()
	restClient, err := client.New(secure.URL, client.WithRetry(0), client.WithToken(secure.Token()))
	if err != nil {
		t.Fatal(err)
	}
	signed := wire{ctx: ctx, http: &http.Client{Transport: signer{v4.NewSigner(), secure.Admin}}, base: secure.URL}
	unsigned := wire{ctx: ctx, http: &http.Client{}, base: open}
	return []surface{
		canaried{core{ctx, secure.Service}},
		canaried{rest{ctx, restClient}},
		canaried{sqs{jsonProtocol{signed}, "SQS JSON", secure.URL}},
		canaried{sqs{queryProtocol{unsigned}, "SQS Query", open}},
	}
}

// pooled are services by way of a pooler, with a direct URL to hear of other replicas and
// without. Their dialects are the same, so one surface will do.
func (w *world) pooled(t testing.TB) []surface {
	database, ctx := pgtest.Pooled(t, w.Database), context.Background()
	alone := testservice.On(t, database, service.Options{})
	both := testservice.OnBoth(t, database, w.Database, service.Options{})
	w.others = []*service.Service{alone, both}
	return []surface{named{canaried{core{ctx, alone}}, "polling"}, named{canaried{core{ctx, both}}, "direct URL"}}
}

// Waiting returns how many receives sleep at this moment.
func (w *world) Waiting() int64 {
	waiting := w.Service.Waiting()
	for _, other := range w.others {
		waiting += other.Waiting()
	}
	return waiting
}

// named is a surface by another name.
type named struct {
	surface
	name string
}

func (n named) Name() string { return n.name }

// Now is the time that the database shows.
func (w *world) Now() time.Time { return w.now }

// Travel moves the time forward.
func (w *world) Travel(d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	if _, err := w.clock.Exec(context.Background(), `UPDATE test_clock SET now = $1`, w.now); err != nil {
		w.t.Fatalf("travel: %v", err)
	}
}
