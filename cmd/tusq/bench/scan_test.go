package bench

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestEachText(t *testing.T) {
	t.Parallel()
	for document, want := range map[string][]string{
		``:                               nil,
		`{"id":"a"}`:                     {"a"},
		`{ "id" :` + "\n" + `"a"`:        {"a"},
		`{"id":"a","x":{"id":"b\"c"}}`:   {"a", `b\"c`},
		`{"id":"a\\","id":"b"}`:          {`a\\`, "b"},
		`{"x":"say \"id\":\"no\"."}`:     nil,
		`{"x":"id","y":["id"],"id":"a"}`: {"a"},
		`{"id":5,"id":null,"id":"a"}`:    {"a"},
		`{"id":"a`:                       nil,
		`{"id":`:                         nil,
		`{"id"`:                          nil,
		`{"id":""}`:                      {""},
	} {
		var got []string
		eachText([]byte(document), []byte(`"id"`), func(text []byte) { got = append(got, string(text)) })
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", document, got, want)
		}
	}
}

// TestEachTextFindsWhatJSONHas: whatever stands in the other texts.
func TestEachTextFindsWhatJSONHas(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{`"id"`, `"id":"x"`, `\`, `"`, `:`, "a", "é", "\n", `id`, `{`})
	text := rapid.Custom(func(t *rapid.T) string {
		joined := ""
		for _, p := range rapid.SliceOfN(piece, 0, 5).Draw(t, "pieces") {
			joined += p
		}
		return joined
	})
	type item struct {
		Body string `json:"body"`
		ID   string `json:"id"`
		Note string `json:"note"`
	}
	rapid.Check(t, func(t *rapid.T) {
		items := make([]item, rapid.IntRange(0, 4).Draw(t, "items"))
		for i := range items {
			items[i] = item{text.Draw(t, "body"), text.Draw(t, "id"), text.Draw(t, "note")}
		}
		document, err := json.Marshal(items)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		eachText(document, []byte(`"id"`), func(raw []byte) {
			var plain string
			if err := json.Unmarshal(slices.Concat([]byte(`"`), raw, []byte(`"`)), &plain); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			got = append(got, plain)
		})
		for i := range items {
			if i >= len(got) || got[i] != items[i].ID || len(got) != len(items) {
				t.Fatalf("%s: %q", document, got)
			}
		}
	})
}
