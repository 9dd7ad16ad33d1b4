//go:build wireinject

package main

import (
	"github.com/google/wire"

	"embedseal/adapters/bbolt"
	"embedseal/adapters/clock"
	"embedseal/adapters/custody"
	"embedseal/adapters/entropy"
	"embedseal/adapters/file"
	"embedseal/adapters/jose"
	"embedseal/adapters/memory"
	"embedseal/app"
	"embedseal/ports"
)

var (
	toStores   = wire.Struct(new(stores), "*")
	fromStores = wire.FieldsOf(new(stores), "Keys", "Groups")

	bboltSet = wire.NewSet(toStores, bbolt.Open,
		bbolt.NewKeyStore, wire.Bind(new(ports.KeyStore), new(*bbolt.KeyStore)),
		bbolt.NewGroupStore, wire.Bind(new(ports.GroupStore), new(*bbolt.GroupStore)))
	fileSet = wire.NewSet(toStores, file.Open,
		file.NewKeyStore, wire.Bind(new(ports.KeyStore), new(*file.KeyStore)),
		file.NewGroupStore, wire.Bind(new(ports.GroupStore), new(*file.GroupStore)))
	memorySet = wire.NewSet(toStores, memory.Open,
		memory.NewKeyStore, wire.Bind(new(ports.KeyStore), new(*memory.KeyStore)),
		memory.NewGroupStore, wire.Bind(new(ports.GroupStore), new(*memory.GroupStore)))

	surroundings = wire.NewSet(
		wire.Struct(new(clock.System)), wire.Bind(new(ports.Clock), new(clock.System)),
		wire.Struct(new(entropy.System)), wire.Bind(new(ports.Random), new(entropy.System)))
	crypto = wire.NewSet(
		jose.New, wire.Bind(new(ports.TokenCipher), new(*jose.Cipher)),
		custody.NewLocal, wire.Bind(new(ports.KeyCustody), new(*custody.Local)))
	useCases = wire.NewSet(app.NewAuthenticator, app.NewMinter, app.NewDefaultKeys, app.NewRefusals,
		app.NewBootstrapper)
)
