package repository

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

var peekColumns = `
SELECT visible_at > tusq_now(), returned, ` + messageColumns("messages") + `
FROM messages
WHERE queue_id = $1 AND sent_at > tusq_now() - $2::interval`

// peekAllSQL reads in the order of ids, which is that of sending.
var peekAllSQL = peekColumns + ` AND id > $3
ORDER BY id
LIMIT $4`

// A state is a range, or two, of the claim index.
var (
	peekNowSQL = peekColumns + ` AND priority = 0 AND returned = $5 AND visible_at <= tusq_now() AND (visible_at, id) > ($6, $3)
ORDER BY visible_at, id
LIMIT $4`
	peekFutureSQL = peekColumns + ` AND priority = 0 AND returned = $5 AND visible_at > tusq_now() AND (visible_at, id) > ($6, $3)
ORDER BY visible_at, id
LIMIT $4`
)

// peekRange is a range of the claim index.
type peekRange struct {
	sql      string
	returned bool
}

// peekRanges are a state's ranges, in the order in which they are shown.
var peekRanges = map[service.State][]peekRange{
	service.StateVisible:  {{peekNowSQL, true}, {peekNowSQL, false}},
	service.StateDelayed:  {{peekFutureSQL, false}},
	service.StateInFlight: {{peekFutureSQL, true}},
}

// peekCursor is the place of the last message that was shown.
type peekCursor struct {
	part      int // of the state's ranges
	visibleAt time.Time
	id        uuid.UUID
}

func (c peekCursor) String() string {
	text := fmt.Sprintf("%d %d %s", c.part, c.visibleAt.UnixMicro(), c.id)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func parsePeekCursor(text string, parts int) (c peekCursor, err error) {
	if text == "" {
		return c, nil
	}
	var micro int64
	var id string
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		_, err = fmt.Sscanf(string(raw), "%d %d %s", &c.part, &micro, &id)
	}
	if err == nil {
		c.id, err = uuid.Parse(id)
	}
	c.visibleAt = time.UnixMicro(micro)
	if err != nil || c.part < 0 || c.part >= parts || c.visibleAt.Year() < 1970 || c.visibleAt.Year() > 9999 {
		e := service.Errorf(service.CodeInvalidParameter, "This is not a cursor of these messages.")
		e.Field = "cursor"
		return peekCursor{}, e
	}
	return c, nil
}

// PeekMessages returns a page of messages as they are now, and the next page's cursor.
func (r *Repository) PeekMessages(ctx context.Context, queue service.Queue, peek service.PeekMessages) ([]service.Claimed, string, error) {
	ranges := peekRanges[peek.State]
	cursor, err := parsePeekCursor(peek.Cursor, max(1, len(ranges)))
	if err != nil {
		return nil, "", err
	}
	page := &peekPage{limit: peek.Limit + 1}
	params := []any{queue.ID, queue.Settings.Retention, pgtype.UUID{Bytes: cursor.id, Valid: true}, page.limit}
	if len(ranges) == 0 {
		err = r.peekPart(ctx, page, 0, peekAllSQL, params...)
	}
	for part := cursor.part; part < len(ranges) && !page.full() && err == nil; part++ {
		from := append(params[:3:3], page.limit-len(page.found), ranges[part].returned, cursor.visibleAt)
		err = r.peekPart(ctx, page, part, ranges[part].sql, from...)
		cursor, params[2] = peekCursor{visibleAt: time.Unix(0, 0)}, pgtype.UUID{Valid: true}
	}
	if err != nil {
		return nil, "", r.classify("peek", err)
	}
	if !page.full() {
		return page.found, "", nil
	}
	n := len(page.found) - 1 // the last one only tells that there is another page
	last := page.found[n-1]
	next := peekCursor{part: page.parts[n-1], visibleAt: last.Message.VisibleAt, id: uuid.UUID(last.ID)}
	return page.found[:n], next.String(), nil
}

// peekPage is what was found so far, and one message more than the page will have: the page is
// bounded in messages and in bytes, but has one message at least.
type peekPage struct {
	found []service.Claimed
	parts []int // of the ranges in which each was found
	limit int
	bytes int
}

func (p *peekPage) full() bool {
	return len(p.found) >= p.limit || len(p.found) > 1 && p.bytes > maxClaimBytes
}

// peekPart adds what a statement finds.
func (r *Repository) peekPart(ctx context.Context, page *peekPage, part int, sql string, params ...any) error {
	rows, _ := r.cold.Query(ctx, sql, params...)
	defer rows.Close()
	var future, returned bool
	m := scanner(&future, &returned)
	for !page.full() && rows.Next() {
		if err := m.scan(rows); err != nil {
			return err
		}
		found := m.message(state(future, returned))
		page.found, page.parts = append(page.found, found), append(page.parts, part)
		page.bytes += len(found.Message.Body) + len(found.Attributes)
	}
	rows.Close()
	return rows.Err()
}

func state(future, returned bool) service.State {
	switch {
	case !future:
		return service.StateVisible
	case returned:
		return service.StateInFlight
	}
	return service.StateDelayed
}
