package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"tusq/service"
)

// badInput is a request that must be refused, and how. In a path, {q} stands for a
// queue that exists, {f} for a FIFO queue and {r} for a receipt of a message in flight in {q}.
type badInput struct {
	method, path, media, body string
	status                    int
	code                      service.Code
	field                     string
}

const (
	badRequest = http.StatusBadRequest
	notFound   = http.StatusNotFound
	conflict   = http.StatusConflict
	tooLarge   = http.StatusRequestEntityTooLarge
	notSpoken  = http.StatusUnsupportedMediaType
)

var badInputs = []badInput{
	// Create.
	{"POST", "/v1/queues", typeJSON, ``, badRequest, service.CodeInvalidRequest, ""},
	{"POST", "/v1/queues", typeJSON, `{`, badRequest, service.CodeInvalidRequest, ""},
	{"POST", "/v1/queues", typeJSON, `{}`, badRequest, service.CodeMissingParameter, "name"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","color":"red"}`, badRequest, service.CodeInvalidRequest, "color"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new"}x`, badRequest, service.CodeInvalidRequest, ""},
	{"POST", "/v1/queues", typeJSON, "{\"name\":\"new\xff\"}", badRequest, service.CodeInvalidRequest, ""},
	{"POST", "/v1/queues", typeJSON, `{"name":"\ud800"}`, badRequest, service.CodeInvalidRequest, "name"},
	{"POST", "/v1/queues", typeJSON, strings.Repeat("[", 1e6), badRequest, service.CodeInvalidRequest, ""}, // types bound the depth
	{"POST", "/v1/queues", typeJSON, `{"name":` + strings.Repeat("[", 1e6), badRequest, service.CodeInvalidRequest, "name"},
	{"POST", "/v1/queues", typeJSON, `{"color":` + strings.Repeat(`{"color":`, 1e6), badRequest, service.CodeInvalidRequest, "color"},
	{"POST", "/v1/queues", typeJSON, `{"tags":{"k":` + strings.Repeat(`{"k":`, 1e6), badRequest, service.CodeInvalidRequest, "tags.k"},
	{"POST", "/v1/queues", "text/plain", `{"name":"new"}`, notSpoken, service.CodeUnsupportedMediaType, ""},
	{"POST", "/v1/queues", "application/x-www-form-urlencoded", `{"name":"new"}`, notSpoken, service.CodeUnsupportedMediaType, ""},
	{"POST", "/v1/queues", "nonsense;;", `{"name":"new"}`, notSpoken, service.CodeUnsupportedMediaType, ""},
	{"POST", "/v1/queues", typeJSON, `{"name":""}`, badRequest, service.CodeInvalidQueueName, "name"},
	{"POST", "/v1/queues", typeJSON, `{"name":"a b"}`, badRequest, service.CodeInvalidQueueName, "name"},
	{"POST", "/v1/queues", typeJSON, `{"name":"a\u0000"}`, badRequest, service.CodeInvalidQueueName, "name"},
	{"POST", "/v1/queues", typeJSON, `{"name":"` + strings.Repeat("a", 81) + `"}`, badRequest, service.CodeInvalidQueueName, "name"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","visibility_timeout":"30"}`, badRequest, service.CodeInvalidRequest, "visibility_timeout"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","visibility_timeout":43201}`, badRequest, service.CodeInvalidParameter, "visibility_timeout"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","visibility_timeout":-1}`, badRequest, service.CodeInvalidParameter, "visibility_timeout"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","delay_seconds":901}`, badRequest, service.CodeInvalidParameter, "delay_seconds"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","retention_seconds":59}`, badRequest, service.CodeInvalidParameter, "retention_seconds"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","retention_seconds":1209601}`, badRequest, service.CodeInvalidParameter, "retention_seconds"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","retention_seconds":9223372036854775807}`, badRequest, service.CodeInvalidParameter, "retention_seconds"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","wait_seconds":21}`, badRequest, service.CodeInvalidParameter, "wait_seconds"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","max_message_size":1023}`, badRequest, service.CodeInvalidParameter, "max_message_size"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","max_message_size":1048577}`, badRequest, service.CodeInvalidParameter, "max_message_size"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","durability":"fsync"}`, badRequest, service.CodeInvalidParameter, "durability"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","durability":true}`, badRequest, service.CodeInvalidRequest, "durability"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","encryption":"all"}`, badRequest, service.CodeInvalidParameter, "encryption"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","encryption":"body"}`, conflict, service.CodeMasterKeyMissing, ""},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","durability":"quorum"}`, conflict, service.CodeStandbyRequired, "durability"},
	{"PATCH", "/v1/queues/{q}", typeJSON, `{"encryption":"body"}`, conflict, service.CodeMasterKeyMissing, ""},
	{"PATCH", "/v1/queues/{q}", typeJSON, `{"durability":"applied"}`, conflict, service.CodeStandbyRequired, "durability"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","tags":{"":"v"}}`, badRequest, service.CodeInvalidParameter, "tags"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","tags":{"k":"\u0000"}}`, badRequest, service.CodeInvalidParameter, "tags"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","tags":{"k":1}}`, badRequest, service.CodeInvalidRequest, "tags.k"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","dead_letter":{"queue":"{q}"}}`, badRequest, service.CodeMissingParameter, "dead_letter.max_receives"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","dead_letter":{"queue":"","max_receives":0}}`, badRequest, service.CodeInvalidParameter, "dead_letter.queue"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","dead_letter":{"queue":"{q}","max_receives":0}}`, badRequest, service.CodeInvalidParameter, "dead_letter.max_receives"},
	{"POST", "/v1/queues", typeJSON, `{"name":"a.b"}`, badRequest, service.CodeInvalidQueueName, "name"},
	{"POST", "/v1/queues", typeJSON, `{"name":".fifo"}`, badRequest, service.CodeInvalidQueueName, "name"},
	{"POST", "/v1/queues", typeJSON, `{"name":"` + strings.Repeat("a", 76) + `.fifo"}`, badRequest, service.CodeInvalidQueueName, "name"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new.fifo","fifo":true}`, badRequest, service.CodeInvalidRequest, "fifo"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","content_deduplication":true}`, badRequest, service.CodeInvalidParameter, "content_deduplication"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","deduplication_scope":"queue"}`, badRequest, service.CodeInvalidParameter, "deduplication_scope"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new.fifo","deduplication_scope":""}`, badRequest, service.CodeInvalidParameter, "deduplication_scope"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new.fifo","deduplication_scope":"messageGroup"}`, badRequest, service.CodeInvalidParameter, "deduplication_scope"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new.fifo","dead_letter":{"queue":"{q}","max_receives":1}}`, badRequest, service.CodeInvalidParameter, "dead_letter.queue"},
	{"POST", "/v1/queues?name=new", typeJSON, `{"name":"new"}`, badRequest, service.CodeInvalidRequest, "name"},
	{"POST", "/v1/queues", typeJSON, `{"name":"new","tags":{"k":"` + strings.Repeat("v", 16<<20) + `"}}`, tooLarge, service.CodeRequestTooLarge, ""},

	// List.
	{"GET", "/v1/queues?limit=0", "", "", badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/queues?limit=1001", "", "", badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/queues?limit=ten", "", "", badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/queues?limit=", "", "", badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/queues?limit=1&limit=2", "", "", badRequest, service.CodeInvalidRequest, "limit"},
	{"GET", "/v1/queues?size=1", "", "", badRequest, service.CodeInvalidRequest, "size"},
	{"GET", "/v1/queues?prefix=%zz", "", "", badRequest, service.CodeInvalidRequest, ""},
	{"GET", "/v1/queues?prefix=%00", "", "", badRequest, service.CodeInvalidParameter, "prefix"},
	{"GET", "/v1/queues?prefix=%ff", "", "", badRequest, service.CodeInvalidParameter, "prefix"},
	{"GET", "/v1/queues?cursor=%00", "", "", badRequest, service.CodeInvalidParameter, "cursor"},
	{"GET", "/v1/queues?dead_letter=%00", "", "", badRequest, service.CodeInvalidParameter, "dead_letter"},
	{"GET", "/v1/queues?dead_letter=a&dead_letter=b", "", "", badRequest, service.CodeInvalidRequest, "dead_letter"},
	{"GET", "/v1/queues?cursor=forged!", "", "", badRequest, service.CodeInvalidParameter, "cursor"},

	// Get, update, delete, purge, count.
	{"GET", "/v1/queues/none", "", "", notFound, service.CodeQueueNotFound, "queue"},
	{"GET", "/v1/queues/a%00b", "", "", badRequest, service.CodeInvalidQueueName, "name"},
	{"GET", "/v1/queues/%ff", "", "", badRequest, service.CodeInvalidQueueName, "name"},
	{"GET", "/v1/queues/a%2Fb", "", "", badRequest, service.CodeInvalidQueueName, "name"},
	{"GET", "/v1/queues/" + strings.Repeat("a", 5000), "", "", badRequest, service.CodeInvalidQueueName, "name"},
	{"GET", "/v1/queues/{q}?x=1", "", "", badRequest, service.CodeInvalidRequest, "x"},
	{"PATCH", "/v1/queues/none", typeJSON, `{}`, notFound, service.CodeQueueNotFound, "queue"},
	{"PATCH", "/v1/queues/{q}", typeJSON, ``, badRequest, service.CodeInvalidRequest, ""},
	{"PATCH", "/v1/queues/{q}", typeJSON, `{"name":"other"}`, badRequest, service.CodeInvalidRequest, "name"},
	{"PATCH", "/v1/queues/{q}", typeJSON, `{"wait_seconds":null}`, badRequest, service.CodeInvalidRequest, "wait_seconds"},
	{"PATCH", "/v1/queues/{q}", typeJSON, `{"visibility_timeout":1,"wait_seconds":99}`, badRequest, service.CodeInvalidParameter, "wait_seconds"},
	{"PATCH", "/v1/queues/{q}", typeJSON, `{"dead_letter":{"queue":"none","max_receives":1}}`, badRequest, service.CodeInvalidParameter, "dead_letter.queue"},
	{"PATCH", "/v1/queues/{q}", typeJSON, `{"content_deduplication":false}`, badRequest, service.CodeInvalidParameter, "content_deduplication"},
	{"PATCH", "/v1/queues/{f}", typeJSON, `{"deduplication_scope":"group"}`, badRequest, service.CodeInvalidRequest, "deduplication_scope"},
	{"PATCH", "/v1/queues/{f}", typeJSON, `{"dead_letter":{"queue":"{q}","max_receives":1}}`, badRequest, service.CodeInvalidParameter, "dead_letter.queue"},
	{"PATCH", "/v1/queues/{q}", "application/merge-patch+json", `{}`, notSpoken, service.CodeUnsupportedMediaType, ""},
	{"DELETE", "/v1/queues/none", "", "", notFound, service.CodeQueueNotFound, "queue"},
	{"POST", "/v1/queues/none/purge", "", "", notFound, service.CodeQueueNotFound, "queue"},
	{"POST", "/v1/queues/{q}/purge", typeJSON, `{"all":true}`, badRequest, service.CodeInvalidRequest, "all"},
	{"POST", "/v1/queues/{q}/purge", "text/plain", `{}`, notSpoken, service.CodeUnsupportedMediaType, ""},
	{"POST", "/v1/queues/{q}/purge", typeJSON, strings.Repeat(" ", 16<<20+1), tooLarge, service.CodeRequestTooLarge, ""},
	{"GET", "/v1/queues/none/stats", "", "", notFound, service.CodeQueueNotFound, "queue"},

	// Send.
	{"POST", "/v1/queues/none/messages", typeJSON, `{"body":"a"}`, notFound, service.CodeQueueNotFound, "queue"},
	{"POST", "/v1/queues/none/messages", "text/plain", `a`, notFound, service.CodeQueueNotFound, "queue"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, ``, badRequest, service.CodeInvalidRequest, ""},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{}`, badRequest, service.CodeMissingParameter, "body"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":""}`, badRequest, service.CodeMissingParameter, "body"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":{"a":1}}`, badRequest, service.CodeInvalidRequest, "body"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","Body":"b"}`, badRequest, service.CodeInvalidRequest, "Body"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","body":"b"}`, badRequest, service.CodeInvalidRequest, "body"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a\u0000"}`, badRequest, service.CodeInvalidMessage, "body"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"\uffff"}`, badRequest, service.CodeInvalidMessage, "body"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, "{\"body\":\"\xc0\x80\"}", badRequest, service.CodeInvalidRequest, ""},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"\udc00\ud800"}`, badRequest, service.CodeInvalidRequest, "body"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","delay_seconds":901}`, badRequest, service.CodeInvalidParameter, "delay_seconds"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","delay_seconds":0.5}`, badRequest, service.CodeInvalidRequest, "delay_seconds"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","group_id":"a b"}`, badRequest, service.CodeInvalidParameter, "group_id"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","attributes":{"n":{"type":"String"}}}`, badRequest, service.CodeMissingParameter, "attributes.n.value"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","attributes":{"n":{"type":"String","value":"\u0000"}}}`, badRequest, service.CodeInvalidMessage, "attributes"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","attributes":{"\u0000":{"type":"String","value":"v"}}}`, badRequest, service.CodeInvalidAttribute, "attributes"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","attributes":{"n":{"type":"Number","value":"one"}}}`, badRequest, service.CodeInvalidAttribute, "attributes"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","attributes":{"n":{"type":"Binary","value":"%"}}}`, badRequest, service.CodeInvalidAttribute, "attributes.n.value"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"messages":[]}`, badRequest, service.CodeBatchEmpty, ""},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"messages":[{"body":"a"}],"body":"b"}`, badRequest, service.CodeInvalidRequest, "messages"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"messages":[{"body":"a"},{}]}`, badRequest, service.CodeMissingParameter, "messages[1].body"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"messages":[{"body":"a"}` + strings.Repeat(`,{"body":"a"}`, 1000) + `]}`, badRequest, service.CodeBatchTooMany, "messages[1000]"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"messages":[{"body":"a"}` + strings.Repeat(`,{"body":"`+strings.Repeat("a", 1<<20)+`"}`, 9) + `]}`, tooLarge, service.CodeBatchTooLarge, ""},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"` + strings.Repeat("a", 1<<20+1) + `"}`, tooLarge, service.CodeMessageTooLarge, "body"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"` + strings.Repeat("a", 16<<20) + `"}`, tooLarge, service.CodeRequestTooLarge, ""},
	{"POST", "/v1/queues/{q}/messages?delay_seconds=1", typeJSON, `{"body":"a"}`, badRequest, service.CodeInvalidRequest, "delay_seconds"},
	{"POST", "/v1/queues/{q}/messages?delay_seconds=x", "text/plain", `a`, badRequest, service.CodeInvalidParameter, "delay_seconds"},
	{"POST", "/v1/queues/{q}/messages?delay_seconds=-1", "text/plain", `a`, badRequest, service.CodeInvalidParameter, "delay_seconds"},
	{"POST", "/v1/queues/{q}/messages?group_id=g", typeJSON, `{"body":"a"}`, badRequest, service.CodeInvalidRequest, "group_id"},
	{"POST", "/v1/queues/{f}/messages?deduplication_id=d", typeJSON, `{"body":"a","group_id":"g"}`, badRequest, service.CodeInvalidRequest, "deduplication_id"},
	{"POST", "/v1/queues/{q}/messages?group_id=a%20b", "text/plain", `a`, badRequest, service.CodeInvalidParameter, "group_id"},
	{"POST", "/v1/queues/{q}/messages?deduplication_id=d", "text/plain", `a`, badRequest, service.CodeInvalidParameter, "deduplication_id"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"body":"a","deduplication_id":"d"}`, badRequest, service.CodeInvalidParameter, "deduplication_id"},
	{"POST", "/v1/queues/{q}/messages", typeJSON, `{"messages":[{"body":"a"}],"deduplication_id":"d"}`, badRequest, service.CodeInvalidRequest, "messages"},
	{"POST", "/v1/queues/{f}/messages", typeJSON, `{"body":"a","deduplication_id":"d"}`, badRequest, service.CodeMissingParameter, "group_id"},
	{"POST", "/v1/queues/{f}/messages", typeJSON, `{"body":"a","group_id":"g"}`, badRequest, service.CodeMissingParameter, "deduplication_id"},
	{"POST", "/v1/queues/{f}/messages", typeJSON, `{"body":"a","group_id":"g","deduplication_id":"d","delay_seconds":1}`, badRequest, service.CodeInvalidParameter, "delay_seconds"},
	{"POST", "/v1/queues/{f}/messages", typeJSON, `{"body":"a","group_id":"g","deduplication_id":"` + strings.Repeat("d", 129) + `"}`, badRequest, service.CodeInvalidParameter, "deduplication_id"},
	{"POST", "/v1/queues/{f}/messages", "text/plain", `a`, badRequest, service.CodeMissingParameter, "group_id"},
	{"POST", "/v1/queues/{q}/messages", "text/plain", ``, badRequest, service.CodeMissingParameter, "body"},
	{"POST", "/v1/queues/{q}/messages", "text/plain", "a\x00", badRequest, service.CodeInvalidMessage, "body"},
	{"POST", "/v1/queues/{q}/messages", "text/plain", "a\xff", badRequest, service.CodeInvalidMessage, "body"},
	{"POST", "/v1/queues/{q}/messages", "text/plain", strings.Repeat("a", 1<<20+1), tooLarge, service.CodeMessageTooLarge, "body"},
	{"POST", "/v1/queues/{q}/messages", "text/plain; charset=latin1", `a`, notSpoken, service.CodeUnsupportedMediaType, ""},
	{"POST", "/v1/queues/{q}/messages", "text/html", `a`, notSpoken, service.CodeUnsupportedMediaType, ""},

	// Receive.
	{"POST", "/v1/queues/none/messages/receive", "", "", notFound, service.CodeQueueNotFound, "queue"},
	{"POST", "/v1/queues/{q}/messages/receive", typeJSON, `{"max":0}`, badRequest, service.CodeInvalidParameter, "max"},
	{"POST", "/v1/queues/{q}/messages/receive", typeJSON, `{"max":1001}`, badRequest, service.CodeInvalidParameter, "max"},
	{"POST", "/v1/queues/{q}/messages/receive", typeJSON, `{"wait_seconds":61}`, badRequest, service.CodeInvalidParameter, "wait_seconds"},
	{"POST", "/v1/queues/{q}/messages/receive", typeJSON, `{"visibility_timeout":43201}`, badRequest, service.CodeInvalidParameter, "visibility_timeout"},
	{"POST", "/v1/queues/{q}/messages/receive", typeJSON, `{"visibility_timeout":-9223372036854775808}`, badRequest, service.CodeInvalidParameter, "visibility_timeout"},
	{"POST", "/v1/queues/{f}/messages/receive", typeJSON, `{"attempt_id":"a b"}`, badRequest, service.CodeInvalidParameter, "attempt_id"},
	{"POST", "/v1/queues/{f}/messages/receive", typeJSON, `{"attempt_id":1}`, badRequest, service.CodeInvalidRequest, "attempt_id"},
	{"POST", "/v1/queues/{q}/messages/receive", typeJSON, `{"limit":1}`, badRequest, service.CodeInvalidRequest, "limit"},
	{"POST", "/v1/queues/{q}/messages/receive", typeJSON, `[]`, badRequest, service.CodeInvalidRequest, ""},
	{"POST", "/v1/queues/{q}/messages/receive", "text/plain", `{}`, notSpoken, service.CodeUnsupportedMediaType, ""},
	{"POST", "/v1/queues/{q}/messages/receive?max=1", "", "", badRequest, service.CodeInvalidRequest, "max"},

	// Peek.
	{"GET", "/v1/queues/none/messages", "", "", notFound, service.CodeQueueNotFound, "queue"},
	{"GET", "/v1/queues/{q}/messages?state=gone", "", "", badRequest, service.CodeInvalidParameter, "state"},
	{"GET", "/v1/queues/{q}/messages?limit=101", "", "", badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/queues/{q}/messages?limit=-1", "", "", badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/queues/{q}/messages?cursor=%00", "", "", badRequest, service.CodeInvalidParameter, "cursor"},
	{"GET", "/v1/queues/{q}/messages?cursor=forged!", "", "", badRequest, service.CodeInvalidParameter, "cursor"},

	// Delete and extend.
	{"DELETE", "/v1/queues/none/messages/{r}", "", "", notFound, service.CodeQueueNotFound, "queue"},
	{"DELETE", "/v1/queues/{q}/messages/forged", "", "", badRequest, service.CodeReceiptInvalid, "receipt"},
	{"DELETE", "/v1/queues/{q}/messages/%00", "", "", badRequest, service.CodeReceiptInvalid, "receipt"},
	{"DELETE", "/v1/queues/{q}/messages/{r}A", "", "", badRequest, service.CodeReceiptInvalid, "receipt"},
	{"PATCH", "/v1/queues/none/messages/{r}", typeJSON, `{"visibility_timeout":0}`, notFound, service.CodeQueueNotFound, "queue"},
	{"PATCH", "/v1/queues/{q}/messages/{r}", typeJSON, `{}`, badRequest, service.CodeMissingParameter, "visibility_timeout"},
	{"PATCH", "/v1/queues/{q}/messages/{r}", typeJSON, `{"visibility_timeout":43201}`, badRequest, service.CodeInvalidParameter, "visibility_timeout"},
	{"PATCH", "/v1/queues/{q}/messages/{r}", typeJSON, `{"visibility_timeout":-1}`, badRequest, service.CodeInvalidParameter, "visibility_timeout"},
	{"PATCH", "/v1/queues/{q}/messages/{r}", "text/plain", `0`, notSpoken, service.CodeUnsupportedMediaType, ""},
	{"PATCH", "/v1/queues/{q}/messages/forged", typeJSON, `{"visibility_timeout":0}`, badRequest, service.CodeReceiptInvalid, "receipt"},
	{"POST", "/v1/queues/none/messages/delete", typeJSON, `{"receipts":["{r}"]}`, notFound, service.CodeQueueNotFound, "queue"},
	{"POST", "/v1/queues/{q}/messages/delete", typeJSON, `{}`, badRequest, service.CodeMissingParameter, "receipts"},
	{"POST", "/v1/queues/{q}/messages/delete", typeJSON, `{"receipts":[]}`, badRequest, service.CodeBatchEmpty, ""},
	{"POST", "/v1/queues/{q}/messages/delete", typeJSON, `{"receipts":["{r}",1]}`, badRequest, service.CodeInvalidRequest, "receipts[1]"},
	{"POST", "/v1/queues/{q}/messages/delete", typeJSON, `{"receipts":["{r}"` + strings.Repeat(`,"x"`, 1000) + `]}`, badRequest, service.CodeBatchTooMany, "receipts[1000]"},
	{"POST", "/v1/queues/none/messages/visibility", typeJSON, `{"messages":[{"receipt":"{r}","visibility_timeout":0}]}`, notFound, service.CodeQueueNotFound, "queue"},
	{"POST", "/v1/queues/{q}/messages/visibility", typeJSON, `{"messages":[]}`, badRequest, service.CodeBatchEmpty, ""},
	{"POST", "/v1/queues/{q}/messages/visibility", typeJSON, `{"messages":[{"receipt":"{r}"}]}`, badRequest, service.CodeMissingParameter, "messages[0].visibility_timeout"},
	{"POST", "/v1/queues/{q}/messages/visibility", typeJSON, `{"messages":[{"receipt":"{r}","visibility_timeout":0},{}]}`, badRequest, service.CodeMissingParameter, "messages[1].receipt"},

	// Redrives.
	{"POST", "/v1/queues/none/redrive", "", "", notFound, service.CodeQueueNotFound, "source"},
	{"POST", "/v1/queues/{q}/redrive", "", "", conflict, service.CodeNotDeadLetterQueue, "source"},
	{"POST", "/v1/queues/a%00/redrive", "", "", notFound, service.CodeQueueNotFound, "source"},
	{"POST", "/v1/queues/{f}/redrive", typeJSON, `{"rate":0}`, badRequest, service.CodeInvalidParameter, "rate"},
	{"POST", "/v1/queues/{f}/redrive", typeJSON, `{"rate":501}`, badRequest, service.CodeInvalidParameter, "rate"},
	{"POST", "/v1/queues/{f}/redrive", typeJSON, `{"rate":-1}`, badRequest, service.CodeInvalidParameter, "rate"},
	{"POST", "/v1/queues/{f}/redrive", typeJSON, `{"destination":""}`, badRequest, service.CodeInvalidParameter, "destination"},
	{"POST", "/v1/queues/{f}/redrive", typeJSON, `{"destination":null}`, badRequest, service.CodeInvalidRequest, "destination"},
	{"POST", "/v1/queues/{f}/redrive", typeJSON, `{"source":"a"}`, badRequest, service.CodeInvalidRequest, "source"},
	{"POST", "/v1/queues/dead/redrive", typeJSON, `{"destination":"none"}`, notFound, service.CodeQueueNotFound, "destination"},
	{"POST", "/v1/queues/dead/redrive", typeJSON, `{"destination":"a b"}`, notFound, service.CodeQueueNotFound, "destination"},
	{"POST", "/v1/queues/dead/redrive", typeJSON, `{"destination":"dead"}`, badRequest, service.CodeInvalidParameter, "destination"},
	{"POST", "/v1/queues/dead/redrive", typeJSON, `{"destination":"{f}"}`, badRequest, service.CodeInvalidParameter, "destination"},
	{"POST", "/v1/queues/dead/redrive", "text/plain", `{}`, notSpoken, service.CodeUnsupportedMediaType, ""},
	{"GET", "/v1/queues/none/redrives", "", "", notFound, service.CodeQueueNotFound, "source"},
	{"GET", "/v1/queues/{q}/redrives?limit=0", "", "", badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/queues/{q}/redrives?limit=1001", "", "", badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/queues/{q}/redrives?cursor=x", "", "", badRequest, service.CodeInvalidRequest, "cursor"},
	{"GET", "/v1/redrives/00000000-0000-7000-8000-000000000000", "", "", notFound, service.CodeRedriveNotFound, ""},
	{"GET", "/v1/redrives/none", "", "", notFound, service.CodeRedriveNotFound, ""},
	{"GET", "/v1/redrives/%00", "", "", notFound, service.CodeRedriveNotFound, ""},
	{"GET", "/v1/redrives/%ff", "", "", notFound, service.CodeRedriveNotFound, ""},
	{"DELETE", "/v1/redrives/00000000-0000-7000-8000-000000000000", "", "", notFound, service.CodeRedriveNotFound, ""},
	{"DELETE", "/v1/redrives/none", "", "", notFound, service.CodeRedriveNotFound, ""},

	// The audit log.
	{"GET", "/v1/audit?limit=1001", "", "", badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/audit?limit=x", "", "", badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/audit?cursor=x", "", "", badRequest, service.CodeInvalidParameter, "cursor"},
	{"GET", "/v1/audit?actor=%00", "", "", badRequest, service.CodeInvalidParameter, "actor"},
	{"GET", "/v1/audit?account=1", "", "", badRequest, service.CodeInvalidRequest, "account"},

	// Routes.
	{"GET", "/v1", "", "", notFound, service.CodeRouteNotFound, ""},
	{"GET", "/v1/queues/", "", "", notFound, service.CodeRouteNotFound, ""},
	{"GET", "/v1/queues//messages", "", "", badRequest, service.CodeInvalidQueueName, "name"},
	{"GET", "/v2/queues", "", "", notFound, service.CodeRouteNotFound, ""},
	{"GET", "/v1/queues/{q}/messages/{r}/body", "", "", notFound, service.CodeRouteNotFound, ""},

	// Keys.
	{"POST", "/v1/keys", typeJSON, `{}`, badRequest, service.CodeMissingParameter, "name"},
	{"POST", "/v1/keys", typeJSON, `{"name":"k","actions":["send_messages"],"queues":["*"],"secret":"mine"}`, badRequest, service.CodeInvalidRequest, "secret"},
	{"POST", "/v1/keys", typeJSON, `{"name":"a\u0000","actions":["send_messages"],"queues":["*"]}`, badRequest, service.CodeInvalidParameter, "name"},
	{"POST", "/v1/keys", typeJSON, `{"name":"k","queues":["*"]}`, badRequest, service.CodeMissingParameter, "actions"},
	{"POST", "/v1/keys", typeJSON, `{"name":"k","actions":["fly"],"queues":["*"]}`, badRequest, service.CodeInvalidParameter, "actions"},
	{"POST", "/v1/keys", typeJSON, `{"name":"k","actions":["send_messages"]}`, badRequest, service.CodeMissingParameter, "queues"},
	{"POST", "/v1/keys", typeJSON, `{"name":"k","actions":["send_messages"],"queues":["a*b"]}`, badRequest, service.CodeInvalidParameter, "queues"},
	{"POST", "/v1/keys", typeJSON, `{"name":"k","actions":["send_messages"],"queues":["*"],"sources":["10.0.0.1"]}`, badRequest, service.CodeInvalidParameter, "sources"},
	{"POST", "/v1/keys", typeJSON, `{"name":"k","actions":["send_messages"],"queues":["*"],"expires_in_seconds":0}`, badRequest, service.CodeInvalidParameter, "expires_in_seconds"},
	{"POST", "/v1/keys", typeJSON, `{"name":"k","actions":["send_messages"],"queues":["*"],"account":"1"}`, badRequest, service.CodeInvalidParameter, "account"},
	{"POST", "/v1/keys", typeJSON, `{"name":"k","actions":["send_messages"],"queues":["*"]}`, conflict, service.CodeMasterKeyMissing, ""},
	{"GET", "/v1/keys?limit=0", "", ``, badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/keys?cursor=x", "", ``, badRequest, service.CodeInvalidParameter, "cursor"},
	{"GET", "/v1/keys?account=1", "", ``, badRequest, service.CodeInvalidParameter, "account"},
	{"POST", "/v1/users", typeJSON, `{}`, badRequest, service.CodeMissingParameter, "name"},
	{"POST", "/v1/users", typeJSON, `{"name":"ann","password":"short","actions":["get_queue"],"queues":["*"]}`, badRequest, service.CodeInvalidParameter, "password"},
	{"POST", "/v1/users", typeJSON, `{"name":"ann","password":"correct horse battery","actions":["fly"],"queues":["*"]}`, badRequest, service.CodeInvalidParameter, "actions"},
	{"POST", "/v1/users", typeJSON, `{"name":"ann","admin":true}`, badRequest, service.CodeInvalidRequest, "admin"},
	{"GET", "/v1/users?limit=0", "", ``, badRequest, service.CodeInvalidParameter, "limit"},
	{"GET", "/v1/users/nope", "", ``, notFound, service.CodeUserNotFound, ""},
	{"GET", "/v1/users/%00", "", ``, notFound, service.CodeUserNotFound, ""},
	{"PATCH", "/v1/users/nope", typeJSON, `{"queues":["*"]}`, notFound, service.CodeUserNotFound, ""},
	{"PATCH", "/v1/users/nope", typeJSON, `{"name":"x"}`, badRequest, service.CodeInvalidRequest, "name"},
	{"DELETE", "/v1/users/nope", "", ``, notFound, service.CodeUserNotFound, ""},
	{"GET", "/v1/keys/nope", "", ``, notFound, service.CodeKeyNotFound, ""},
	{"DELETE", "/v1/keys/nope", "", ``, notFound, service.CodeKeyNotFound, ""},
	{"POST", "/v1/keys/nope/rotate", typeJSON, `{"grace":1}`, badRequest, service.CodeInvalidRequest, "grace"},
	{"POST", "/v1/keys/nope/rotate", typeJSON, `{}`, notFound, service.CodeKeyNotFound, ""},
}

// Every bad request is refused with the right problem, and changes nothing.
func TestBadInput(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	s.sendMessage(path, "in flight")
	receipt := s.receiveOne(path, `{"visibility_timeout":600}`).text("receipt")
	s.sendMessage(path, "visible")
	s.createQueue("ordered.fifo")
	s.createQueue("dead")
	s.call("POST", "/v1/queues", `{"name":"source","dead_letter":{"queue":"dead","max_receives":1}}`).want(http.StatusCreated)
	before := s.state(path)

	fill := strings.NewReplacer("{q}", "orders", "{f}", "ordered.fifo", "{r}", receipt)
	for _, test := range badInputs {
		answer := s.send(test.method, fill.Replace(test.path), test.media, fill.Replace(test.body))
		problem := answer.wantProblem(test.status, test.code)
		if problem.text("field") != test.field {
			t.Errorf("the field is %q, want %q: %s", problem.text("field"), test.field, answer.body)
		}
		if t.Failed() {
			t.Fatalf("after %s %.100s %.100s", test.method, test.path, test.body)
		}
	}
	wantEqual(t, s.state(path), before)
}

// state is all that can be seen of the queues and of one queue's messages.
func (s *server) state(path string) value {
	s.t.Helper()
	return value{
		"queues":   s.call("GET", "/v1/queues", "").want(http.StatusOK),
		"messages": s.call("GET", path+"/messages", "").want(http.StatusOK),
		"stats":    s.call("GET", path+"/stats", "").want(http.StatusOK),
		"redrives": s.call("GET", path+"/redrives", "").want(http.StatusOK),
	}
}

// The table of bad input has something for every operation of the specification.
func TestBadInputCoversEveryOperation(t *testing.T) {
	t.Parallel()
	covered := map[*operation]bool{}
	for _, test := range badInputs {
		path, _, _ := strings.Cut(test.path, "?")
		covered[operationOf(test.method, path)] = true
	}
	for _, o := range operations() {
		if !covered[o] {
			t.Errorf("no bad input for %s", o.name)
		}
	}
}

// Methods that a path does not have are refused with those that it has; of no path, no method is.
func TestMethodNotAllowed(t *testing.T) {
	s := setup(t)
	for _, test := range []struct{ method, path, allow string }{
		{"PUT", "/v1/queues", "GET, POST"},
		{"OPTIONS", "/v1/queues/orders", "GET, PATCH, DELETE"},
		{"TRACE", "/v1/queues/orders/messages/receive", "POST, PATCH, DELETE"},
		{"BREW", "/v1/queues/orders/purge", "POST"},
		{"POST", "/v1/queues/orders/messages/x", "PATCH, DELETE"},
		{"POST", "/livez", "GET, HEAD"},
		{"PUT", "/", "GET, POST"},
		{"CONNECT", "", "GET, POST"},
	} {
		answer := s.send(test.method, test.path, "", "")
		answer.wantProblem(http.StatusMethodNotAllowed, service.CodeMethodNotAllowed)
		if got := answer.header.Get("Allow"); got != test.allow {
			t.Errorf("%s %s: Allow is %q, want %q", test.method, test.path, got, test.allow)
		}
	}
	for _, test := range []struct{ method, path string }{{"FOO", "/nope"}, {"PROPFIND", "/v1/nope"}, {"PUT", "/v1/nope"}} {
		answer := s.send(test.method, test.path, "", "")
		answer.wantProblem(http.StatusNotFound, service.CodeRouteNotFound)
		if allow, there := answer.header["Allow"]; there {
			t.Errorf("%s %s: Allow is %q, want none", test.method, test.path, allow)
		}
	}
	if head := s.send("HEAD", "/v1/queues", "", ""); head.status != http.StatusMethodNotAllowed || head.header.Get("Allow") == "" {
		t.Errorf("HEAD: %d, Allow %q", head.status, head.header.Get("Allow"))
	}
}
