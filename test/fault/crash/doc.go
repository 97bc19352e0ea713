// Package crash makes a server crash, pause and fail at every fault point that an operation
// passes, one after the other, and looks from outside whether anything was lost or doubled.
//
// An operation is first carried out once to learn the points that it passes, and how often.
// Then, for each of them, it is carried out on a server that dies there by SIGKILL; the
// server is started again, and the operation repeated as a client repeats it whose call had
// no answer. Nothing is left to chance: the same points are passed in every run. A point of
// the catalogue that no operation passes fails the test.
package crash
