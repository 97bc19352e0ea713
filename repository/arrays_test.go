package repository

import (
	"fmt"
	"math"
	"testing"
)

// TestArraysArriveAsTheyAre sends arrays and reads them back as text.
func TestArraysArriveAsTheyAre(t *testing.T) {
	s := setup(t)
	id := [16]byte{15: 7}
	for _, test := range []struct {
		sql   string
		value array
		want  string
	}{
		{"uuid[]", uuidArray{id, {}}, "{00000000-0000-0000-0000-000000000007,00000000-0000-0000-0000-000000000000}"},
		{"uuid[]", nullUUIDArray{id, {}}, "{00000000-0000-0000-0000-000000000007,NULL}"},
		{"text[]", textArray{"a", "", "ä,\"\n"}, "{a,\"\",\"ä,\\\"\n\"}"},
		{"text[]", nullTextArray{"", "b"}, "{NULL,b}"},
		{"json[]", nullTextArray{`{"a": 1}`, ""}, `{"{\"a\": 1}",NULL}`},
		{"bigint[]", int8Array{math.MinInt64, 0, math.MaxInt64}, "{-9223372036854775808,0,9223372036854775807}"},
		{"bigint[]", nullInt8Array{0, -1}, "{NULL,-1}"},
		{"bigint[]", int8Array{}, "{}"},
	} {
		var got string
		if err := s.hot.QueryRow(s.ctx, fmt.Sprintf("SELECT ($1::%s)::text", test.sql), test.value).Scan(&got); err != nil {
			t.Errorf("%T as %s: %v", test.value, test.sql, err)
		} else if got != test.want {
			t.Errorf("%T as %s arrived as %s, want %s", test.value, test.sql, got, test.want)
		}
	}
}
