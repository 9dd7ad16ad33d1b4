// Package jwe answers: is this text a token of our profile of JSON Web
// Encryption, spelled in the one way it can be, and what are its parts?
//
// The profile is compact serialisation with `alg=dir` and `enc=A256GCM` (RFC
// 7516 section 7.1, RFC 7518 sections 4.5 and 5.3). There is no cryptography
// here: what passes is worth decrypting, and no more.
package jwe
