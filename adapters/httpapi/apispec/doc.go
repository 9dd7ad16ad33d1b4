// Package apispec answers, for tests: is this exchange what the OpenAPI document
// says? It is linked into no binary.
//
// Load the document once, and put it around whatever speaks HTTP:
//
//	spec, err := apispec.New(api.Document())
//	handler = spec.Handler(t, apispec.Administration, handler)     // beside a server
//	client.Transport = spec.RoundTripper(t, apispec.Public, next)  // or beside a client
//
// or hand it single exchanges with [Spec.Check]. What does not conform fails the
// test, and the exchange goes on as if nobody had looked.
//
// Of every answer it holds to the document:
//
//   - its status, its content type, its body against the closed schema, members
//     that stand there twice, and its headers, those that are missing and those
//     that nobody wrote down;
//   - a path that is not documented for that listener is answered 404, and a
//     method that is not, 405, as problems. So a route that somebody adds and does
//     not document fails every test that goes there;
//   - of a problem, that its members say the same as status and headers.
//
// Of a request it looks at the parameters, the credentials and the body only if
// it was accepted (2xx): tests send malformed ones on purpose. One that is
// accepted and not documented fails, as does a query parameter that nobody wrote
// down; the public listener ignores those.
//
// What net/http refuses before it is a request (a malformed line, two lengths) is
// answered by it as plain text, which is not looked at.
package apispec
