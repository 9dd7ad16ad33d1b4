// Package sealed answers the questions of ports.KeyStore and ports.GroupStore
// from sealed records, whatever medium they lie in.
package sealed
