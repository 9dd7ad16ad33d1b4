// Package iso8601 answers when something ends that begins now and is said to
// last for an ISO 8601 duration, such as "PT1H", "P7D" or "P1M".
//
// The accepted text is "P", then years (Y), months (M), weeks (W) and days (D),
// then "T" and hours (H), minutes (M) and seconds (S): each at most once, in
// this order, in upper case, at least one in all and at least one after a "T".
// Weeks may stand beside other units. A fraction, after "." or ",", of one to
// nine digits may stand on the smallest unit given. The whole is at most
// [MaxText] bytes, carries no sign and is longer than zero.
//
// # Caveats
//
// A month has no fixed length, so a [Duration] has none either: it is a rule
// for getting from one instant to a later one, and two durations can be
// compared only from a given instant, by what [Duration.AddTo] answers.
//
// A fraction of a year or of a month is that fraction of the one calendar year
// or month that begins where the whole years and months end: "P0.5M" is 14 days
// on the 1st of February 2023 and 15 days and 12 hours on the 1st of March.
// ISO 8601 leaves the meaning open; the choice is this package's.
package iso8601
