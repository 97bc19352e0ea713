package sqs_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// tagged makes the JSON of an input with so many tags.
func tagged(member string, tags int) string {
	list := make([]string, tags)
	for i := range list {
		list[i] = `"k` + strconv.Itoa(i) + `":"v"`
	}
	return `{` + member + `:{` + strings.Join(list, ",") + `}}`
}

func TestTags(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.run([]wireTest{
		{"none", "ListQueueTags", `{"QueueUrl":"jobs"}`, `{}`},
		{"add", "TagQueue", `{"QueueUrl":"jobs","Tags":{"team":"a b","Über_.:/=+-@ 9":"","x":"1"}}`, ``},
		{"add and replace", "TagQueue", `{"QueueUrl":"jobs","Tags":{"Team":"c","team":"b"}}`, ``},
		{"list", "ListQueueTags", `{"QueueUrl":"jobs"}`, `{"Tags":{"Team":"c","team":"b","x":"1","Über_.:/=+-@ 9":""}}`},
		{"remove", "UntagQueue", `{"QueueUrl":"jobs","TagKeys":["x","team","unknown"]}`, ``},
		{"list what is left", "ListQueueTags", `{"QueueUrl":"jobs"}`, `{"Tags":{"Team":"c","Über_.:/=+-@ 9":""}}`},
		{"remove the rest", "UntagQueue", `{"QueueUrl":"jobs","TagKeys":["Team","Über_.:/=+-@ 9"]}`, ``},
		{"list nothing", "ListQueueTags", `{"QueueUrl":"jobs"}`, `{}`},
		{"as many as there can be", "TagQueue", tagged(`"QueueUrl":"jobs","Tags"`, 50), ``},
		{"all of them again", "TagQueue", tagged(`"QueueUrl":"jobs","Tags"`, 50), ``},
		{"long ones", "TagQueue", `{"QueueUrl":"jobs","Tags":{"k0":"` + strings.Repeat("ä", 256) + `"}}`, ``},
	})
}

// Changes of different tags, and of permissions, at the same time all last.
func TestChangesAtTheSameTime(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	var group errgroup.Group
	for i := range 10 {
		n := strconv.Itoa(i)
		for action, body := range map[string]string{
			"TagQueue":      `{"QueueUrl":"jobs","Tags":{"k` + n + `":"v"}}`,
			"AddPermission": permit("l"+n, `"111111111111"`, `"SendMessage"`),
		} {
			group.Go(func() error {
				if w := s.do(request(action, body)); w.Code != http.StatusOK {
					return fmt.Errorf("%s: %d %s", body, w.Code, w.Body)
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	tags, statements := strings.Count(s.must("ListQueueTags", `{"QueueUrl":"jobs"}`), `"v"`), strings.Count(s.policy(), `"Sid"`)
	if tags != 10 || statements != 10 {
		t.Errorf("%d tags and %d statements are left of 10", tags, statements)
	}
}

func TestTagsRefuse(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("TagQueue", tagged(`"QueueUrl":"jobs","Tags"`, 49))
	const tooMany = "Too many tags added for queue jobs."
	const keyLength = "Tag keys must be between 1 and 128 characters in length."
	const characters = "Tags are made of letters, digits, spaces and _ . : / = + - @."
	tag := func(tags string) string { return `{"QueueUrl":"jobs","Tags":` + tags + `}` }
	long := strings.Repeat("ä", 129)
	s.unchanged("jobs", func() {
		s.runRefused([]refused{
			lacking("no tags", "TagQueue", `{"QueueUrl":"jobs"}`, "Tags"),
			lacking("empty tags", "TagQueue", tag(`{}`), "Tags"),
			invalid("too many at once", "TagQueue", tagged(`"QueueUrl":"jobs","Tags"`, 51), tooMany),
			invalid("too many in the end", "TagQueue", tag(`{"a":"","b":""}`), tooMany),
			invalid("empty key", "TagQueue", tag(`{"":"v"}`), keyLength),
			invalid("long key", "TagQueue", tag(`{"`+long+`":"v"}`), keyLength),
			invalid("long value", "TagQueue", tag(`{"k":"`+strings.Repeat("v", 257)+`"}`), "Tag values must be between 0 and 256 characters in length."),
			invalid("Amazon's key", "TagQueue", tag(`{"aWs:x":"v"}`), "Tag keys that begin with aws: are reserved for internal use."),
			invalid("key's characters", "TagQueue", tag(`{"a,b":"v"}`), characters),
			invalid("value's characters", "TagQueue", tag(`{"a":"v\u0000"}`), characters),
			lacking("no list of keys", "UntagQueue", `{"QueueUrl":"jobs"}`, "TagKeys"),
			lacking("no keys", "UntagQueue", `{"QueueUrl":"jobs","TagKeys":[]}`, "TagKeys"),
			invalid("remove an empty key", "UntagQueue", `{"QueueUrl":"jobs","TagKeys":["k0",""]}`, keyLength),
			invalid("remove a long key", "UntagQueue", `{"QueueUrl":"jobs","TagKeys":["`+long+`"]}`, keyLength),
			invalid("create with too many", "CreateQueue", tagged(`"QueueName":"other","tags"`, 51), "Too many tags added for queue other."),
			invalid("create with Amazon's key", "CreateQueue", `{"QueueName":"other","tags":{"aws:x":"v"}}`, "Tag keys that begin with aws: are reserved for internal use."),
		})
	})
	checkBody(t, s.must("ListQueues", `{"QueueNamePrefix":"other"}`), `{}`)
}
