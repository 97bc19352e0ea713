package sigv4_test

import (
	"net/http"
	"strings"
	"testing"

	"tusq/api/auth/sigv4"
)

// secrets are what a cache of keys returns: nothing is made for the call.
var secrets = []sigv4.Secret{secret}

func findSecrets(string) []sigv4.Secret { return secrets }

// hot are the requests that come most.
func hot() map[string]wire {
	body := `{"QueueUrl":"http://queue.example.com:9324/000000000000/orders","MessageBody":"` + strings.Repeat("x", 256) + `"}`
	return map[string]wire{
		"send":      signed(unsigned("POST", "/", body)),
		"send64KiB": signed(unsigned("POST", "/", strings.Repeat("x", 64<<10))),
		"form":      samples()["form"],
		"presigned": samples()["presigned"],
	}
}

func BenchmarkVerify(b *testing.B) {
	for name, w := range hot() {
		b.Run(name, func(b *testing.B) {
			v := sigv4.New(sigv4.Options{Now: at(now)})
			r, body, err := w.parse()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(r, body, findSecrets); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("refused", func(b *testing.B) {
		v := sigv4.New(sigv4.Options{Now: at(now)})
		r, body, _ := signature{secret: "another"}.sign(send()).parse()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(r, body, findSecrets); err == nil {
				b.Fatal("accepted")
			}
		}
	})
}

func mustVerify(t *testing.T, v *sigv4.Verifier, r *http.Request, body []byte) {
	if _, err := v.Verify(r, body, findSecrets); err != nil {
		t.Fatal(err)
	}
}
