// Package clients runs real clients, unchanged, against the whole of tusq.
package clients

import (
	"testing"

	"tusq/test/testservice"
)

func TestMain(m *testing.M) { testservice.Main(m) }
