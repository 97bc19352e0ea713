package api_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tusq/service"
	"tusq/test/testserver"
	"tusq/test/testservice"
)

// Whatever is wrong with credentials, the audit log has which key they name, for that key's account. Nobody
// can leave it out by headers that are refused before the credentials are looked at.
func TestRefusedCredentialsNameTheirKey(t *testing.T) {
	t.Parallel()
	server := testserver.NewSecure(t)
	now := time.Now().UTC()
	signed := func(id string, at time.Time) string {
		return fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, Signature=%064d",
			id, at.Format("20060102"), 0)
	}
	stamp := func(at time.Time) string { return at.Format("20060102T150405Z") }
	presigned := func(id string, at time.Time) string {
		return fmt.Sprintf("/?Action=ListQueues&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%s%%2F%s%%2Fus-east-1%%2Fsqs%%2Faws4_request"+
			"&X-Amz-Date=%s&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=%064d", id, at.Format("20060102"), stamp(at), 0)
	}
	other := service.NewCredentials()
	hourAgo := now.Add(-time.Hour)
	for name, test := range map[string]struct {
		target func(service.Credentials) string // nil: SQS's
		header func(service.Credentials) http.Header
		status int
		result service.Code
	}{
		"two tokens": {
			target: func(service.Credentials) string { return "/v1/queues" },
			header: func(c service.Credentials) http.Header {
				return http.Header{"Authorization": {"Bearer " + c.Token().Reveal(), "Bearer " + other.Token().Reveal()}}
			},
			status: 400, result: service.CodeInvalidRequest,
		},
		"two tokens and two types": {
			target: func(service.Credentials) string { return "/v1/queues" },
			header: func(c service.Credentials) http.Header {
				return http.Header{"Authorization": {"Basic eDp5", "Bearer " + c.Token().Reveal()}, "Content-Type": {"a/b", "a/b"}, "X-Amz-Target": {"a", "b"}}
			},
			status: 400, result: service.CodeInvalidRequest,
		},
		"two signatures": {
			header: func(c service.Credentials) http.Header {
				return http.Header{"Authorization": {signed(c.KeyID, now), signed(other.KeyID, now)}, "X-Amz-Date": {stamp(now)}}
			},
			status: 400, result: service.CodeInvalidRequest,
		},
		"two dates": {
			header: func(c service.Credentials) http.Header {
				return http.Header{"Authorization": {signed(c.KeyID, now)}, "X-Amz-Date": {stamp(now), stamp(hourAgo)}}
			},
			status: 400, result: service.CodeInvalidRequest,
		},
		"two session tokens": {
			header: func(c service.Credentials) http.Header {
				return http.Header{"Authorization": {signed(c.KeyID, now)}, "X-Amz-Date": {stamp(now)}, "X-Amz-Security-Token": {"a", "b"}}
			},
			status: 400, result: service.CodeInvalidRequest,
		},
		"skewed": {
			header: func(c service.Credentials) http.Header {
				return http.Header{"Authorization": {signed(c.KeyID, hourAgo)}, "X-Amz-Date": {stamp(hourAgo)}}
			},
			status: 403, result: service.CodeUnauthenticated,
		},
		"without a date": {
			header: func(c service.Credentials) http.Header { return http.Header{"Authorization": {signed(c.KeyID, now)}} },
			status: 400, result: service.CodeUnauthenticated,
		},
		"a session token": {
			header: func(c service.Credentials) http.Header {
				return http.Header{"Authorization": {signed(c.KeyID, now)}, "X-Amz-Date": {stamp(now)}, "X-Amz-Security-Token": {"a"}}
			},
			status: 403, result: service.CodeUnauthenticated,
		},
		"expired": {
			target: func(c service.Credentials) string { return presigned(c.KeyID, hourAgo) }, status: 400, result: service.CodeUnauthenticated,
		},
		"presigned without a signature": {
			target: func(c service.Credentials) string { return strings.TrimRight(presigned(c.KeyID, now), "0") }, status: 400, result: service.CodeUnauthenticated,
		},
		"signed twice": {
			target: func(c service.Credentials) string { return presigned(c.KeyID, now) },
			header: func(service.Credentials) http.Header { return http.Header{"Authorization": {"Basic eDp5"}} },
			status: 400, result: service.CodeUnauthenticated,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, key, err := server.Service.CreateKey(t.Context(), service.Owner(testservice.Account), service.CreateKey{
				Account: "111111111111", Name: "a tenant's", Rights: service.Everything(),
			})
			if err != nil {
				t.Fatal(err)
			}
			target := "/?Action=ListQueues"
			if test.target != nil {
				target = test.target(key)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+target, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if test.header != nil {
				r.Header = test.header(key)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if body, _ := io.ReadAll(response.Body); response.StatusCode != test.status {
				t.Errorf("answered %d %s, want %d", response.StatusCode, body, test.status)
			}
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				page, err := server.Service.ListAudit(t.Context(), service.Owner("111111111111"), service.ListAudit{Action: "authenticate"})
				if err != nil {
					t.Fatal(err)
				}
				named := slices.DeleteFunc(page.Entries, func(e service.AuditEntry) bool { return e.Resource != "key "+key.KeyID })
				if len(named) == 1 && named[0].Result == string(test.result) && named[0].Client == "127.0.0.1" {
					break
				}
				if len(named) > 0 || time.Now().After(end) {
					t.Fatalf("noted as %+v", named)
				}
			}
		})
	}
}
