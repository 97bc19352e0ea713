package catalogue

// Bug is a defect that can be put in on purpose.
type Bug struct {
	Name string
	What string
}

// Bugs are all of them.
var Bugs = []Bug{
	{"ack-before-commit", "callers are answered when the statements are done, and the commit's error is dropped"},
	{"handoff-before-commit", "a waiting receiver is given a message before it is stored"},
	{"resend-with-new-ids", "a flush whose commit is unknown is repeated as if it had failed"},
	{"resend-counted-twice", "a repeated flush counts messages that were stored before"},
	{"floor-never-lowered", "claims begin where the last one ended, whatever became visible below"},
	{"receipt-without-mac", "receipts that nobody gave are believed"},
	{"receipts-swapped", "two messages of one answer have each other's receipts"},
	{"answers-swapped", "two messages of one send are answered with each other's ids"},
	{"claim-without-lock", "a claim neither locks nor passes over what others are claiming"},
	{"claim-without-timeout", "what is received stays visible"},
	{"lease-is-a-counter", "the lease is the number of receives, no nonce"},
	{"delete-ignores-lease", "any receipt of a message deletes it"},
	{"extend-ignores-lease", "any receipt of a message extends the lease that it has"},
	{"fifo-delete-after-lease", "a FIFO queue's receipt deletes after its lease has ended"},
	{"deletes-not-counted", "deletes do not change the counters"},
	{"counted-outside", "sends are counted by another connection before their transaction commits"},
	{"no-deduplication", "a key that somebody holds is taken all the same"},
	{"bury-without-delete", "a dead letter is copied, and stays"},
	{"bury-without-copy", "a dead letter is deleted, and not moved"},
	{"bury-early", "a message is a dead letter one receive too early"},
	{"redrive-without-delete", "a redriven message is copied, and stays"},
	{"group-not-locked", "flushes of one group do not wait for each other"},
	{"group-claimed-twice", "a claim does not lock groups, and takes what follows a message in flight"},
	{"group-in-any-order", "a group's messages are received in the order of their ids' last digits"},
	{"group-never-ready", "a settled group is ready again in a day"},
	{"expiry-too-early", "messages expire after two seconds"},
	{"release-for-ever", "what is released is invisible for a day"},
	{"delay-ignored", "delayed messages are visible at once"},
	{"attributes-dropped", "a batch's attributes are not stored"},
}

// HasBug tells whether there is one of that name.
func HasBug(name string) bool {
	for _, b := range Bugs {
		if b.Name == name {
			return true
		}
	}
	return false
}
