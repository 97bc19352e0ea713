package repository

import (
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// messageColumns are what messageScan reads of a message.
func messageColumns(alias string) string {
	columns := []string{"id", "lease", "body", "attributes", "group_id", "trace_header", "dead_letter_source",
		"receive_count", "earlier_receives", "sent_at", "first_received_at", "visible_at", "seq", "deduplication_id"}
	return alias + "." + strings.Join(columns, ", "+alias+".")
}

// messageScan reads rows of messages. It keeps no column but texts and bytes, so one serves
// all rows of an answer.
type messageScan struct {
	id                                  pgtype.UUID
	lease, seq                          pgtype.Int8
	body                                pgtype.Text
	attributes                          []byte
	group, trace, source, deduplication pgtype.Text
	receives, earlier                   pgtype.Int4
	sentAt, firstReceivedAt, visibleAt  pgtype.Timestamptz
	columns                             []any
}

// scanner makes a scan of: the given first columns, then messageColumns. In a row without a
// message all of these are NULL.
func scanner(first ...any) *messageScan {
	m := &messageScan{}
	m.columns = append(first, &m.id, &m.lease, &m.body, &m.attributes, &m.group, &m.trace, &m.source,
		&m.receives, &m.earlier, &m.sentAt, &m.firstReceivedAt, &m.visibleAt, &m.seq, &m.deduplication)
	return m
}

func (m *messageScan) scan(rows pgx.Rows) error { return rows.Scan(m.columns...) }

// message returns the row's message, in a state. Its place is left out.
func (m *messageScan) message(state service.State) service.Claimed {
	return service.Claimed{
		ID:         m.id.Bytes,
		Lease:      m.lease.Int64,
		Receives:   int(m.receives.Int32 - m.earlier.Int32),
		Attributes: m.attributes,
		Message: service.Message{
			Body:             m.body.String,
			GroupID:          m.group.String,
			TraceHeader:      m.trace.String,
			DeadLetterSource: m.source.String,
			DeduplicationID:  m.deduplication.String,
			Sequence:         m.seq.Int64,
			State:            state,
			ReceiveCount:     int(m.receives.Int32),
			SentAt:           m.sentAt.Time,
			FirstReceivedAt:  m.firstReceivedAt.Time,
			VisibleAt:        m.visibleAt.Time,
		},
	}
}
