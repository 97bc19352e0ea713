package cluster

import (
	"net/http"
	"strings"
	"testing"

	"tusq/internal/pgtest"
)

// TestStrictAWS makes, deletes and makes a queue with and without Amazon's waits.
func TestStrictAWS(t *testing.T) {
	for flag, want := range map[string]int{"--strict-aws": http.StatusBadRequest, "--no-strict-aws": http.StatusOK, "": http.StatusBadRequest} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			flags := append([]string{"--database-url", pgtest.New(t)}, strings.Fields(flag)...)
			url := serve(t, freeAddress(t), flags...).url()
			status := func(query string) int {
				response, err := http.PostForm(url+query, nil)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				return response.StatusCode
			}
			if got := status("/?Action=CreateQueue&QueueName=orders"); got != http.StatusOK {
				t.Fatalf("create: %d", got)
			}
			if got := status("/000000000000/orders?Action=DeleteQueue"); got != http.StatusOK {
				t.Fatalf("delete: %d", got)
			}
			if got := status("/?Action=CreateQueue&QueueName=orders"); got != want {
				t.Errorf("create again: %d, want %d", got, want)
			}
		})
	}
}
