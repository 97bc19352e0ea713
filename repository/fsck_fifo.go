package repository

// What must hold of the groups of a FIFO queue, $1. Each statement gives the groups (or, of single
// messages, what names them) for which it does not.

// firstOf is the first message of group g.
const firstOf = `
	SELECT visible_at, sent_at
	FROM messages
	WHERE queue_id = $1 AND group_id = g.group_id AND seq IS NOT NULL
	ORDER BY group_id, seq
	LIMIT 1`

// noGroupSQL: messages need a row of their group, or nobody receives them.
const noGroupSQL = `
SELECT DISTINCT m.group_id AS example
FROM messages m
WHERE m.queue_id = $1 AND m.seq IS NOT NULL AND m.group_id IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM message_groups g WHERE g.queue_id = $1 AND g.group_id = m.group_id)`

// lateGroupsSQL: a group that is ready too late delays its messages. Where the first message has
// expired, a claim looks at the group again when it may have been deleted.
const lateGroupsSQL = `
SELECT g.group_id AS example
FROM message_groups g
JOIN queues q ON q.id = g.queue_id
CROSS JOIN LATERAL (` + firstOf + `
) AS first
WHERE g.queue_id = $1 AND g.ready_at > first.visible_at AND first.sent_at > clock_timestamp() - q.retention`

// emptyGroupsSQL: a group without messages is forgotten by the claim that finds it.
const emptyGroupsSQL = `
SELECT g.group_id AS example
FROM message_groups g
WHERE g.queue_id = $1 AND NOT EXISTS (
	SELECT 1
	FROM messages m
	WHERE m.queue_id = $1 AND m.group_id = g.group_id AND m.seq IS NOT NULL
)`

// lowSequencesSQL: what is sent next comes after what is there.
const lowSequencesSQL = `
SELECT g.group_id AS example
FROM message_groups g
WHERE g.queue_id = $1 AND g.last_seq < (
	SELECT max(seq)
	FROM messages m
	WHERE m.queue_id = $1 AND m.group_id = g.group_id AND m.seq IS NOT NULL
)`

// sameSequencesSQL: two messages of a group never have the same place.
const sameSequencesSQL = `
SELECT group_id AS example
FROM messages
WHERE queue_id = $1 AND seq IS NOT NULL
GROUP BY group_id, seq
HAVING count(*) > 1`

// kindsSQL: the messages of a FIFO queue have a group and a place in it, all others no place.
const kindsSQL = `
SELECT m.id::text AS example
FROM messages m
JOIN queues q ON q.id = m.queue_id
WHERE m.queue_id = $1 AND CASE WHEN q.fifo THEN m.seq IS NULL OR m.group_id IS NULL ELSE m.seq IS NOT NULL END`

// raiseSequencesSQL moves locked groups on to what their messages have.
const raiseSequencesSQL = `
UPDATE message_groups g
SET last_seq = m.last
FROM (
	SELECT group_id, max(seq) AS last
	FROM messages
	WHERE queue_id = $1 AND group_id = ANY($2) AND seq IS NOT NULL
	GROUP BY group_id
) AS m
WHERE g.queue_id = $1 AND g.group_id = m.group_id AND g.last_seq < m.last`
