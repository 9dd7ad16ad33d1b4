//go:build wireinject

package main

import (
	"github.com/google/wire"

	"embedseal/adapters/bbolt"
	"embedseal/adapters/clock"
	"embedseal/adapters/custody"
	"embedseal/adapters/entropy"
	"embedseal/adapters/file"
	"embedseal/adapters/httpapi"
	"embedseal/adapters/jose"
	"embedseal/adapters/memory"
	"embedseal/adapters/vault"
	"embedseal/app"
	"embedseal/ports"
)

var (
	toStores   = wire.Struct(new(stores), "Keys", "Groups", "Cipher", "Custody", "Check", "Audit", "Revocations")
	fromStores = wire.FieldsOf(new(stores), "Keys", "Groups", "Cipher", "Custody", "Stale", "Revocations", "Fresh")

	// inProcess is what the stores in this process have in common: the material of
	// their keys is in hand.
	inProcess = wire.NewSet(toStores,
		jose.New, wire.Bind(new(ports.TokenCipher), new(*jose.Cipher)),
		custody.NewLocal, wire.Bind(new(ports.KeyCustody), new(*custody.Local)),
		wire.Struct(new(entropy.System)), wire.Bind(new(ports.Random), new(entropy.System)),
		newListing, wire.Bind(new(ports.Checker), new(listing)))
	bboltSet = wire.NewSet(inProcess, bbolt.Open,
		bbolt.NewKeyStore, wire.Bind(new(ports.KeyStore), new(*bbolt.KeyStore)),
		bbolt.NewAuditStore, wire.Bind(new(ports.AuditStore), new(*bbolt.AuditStore)),
		bbolt.NewRevocationStore, wire.Bind(new(ports.RevocationStore), new(*bbolt.RevocationStore)),
		bbolt.NewGroupStore, wire.Bind(new(ports.GroupStore), new(*bbolt.GroupStore)))
	fileSet = wire.NewSet(inProcess, file.Open,
		file.NewKeyStore, wire.Bind(new(ports.KeyStore), new(*file.KeyStore)),
		file.NewAuditStore, wire.Bind(new(ports.AuditStore), new(*file.AuditStore)),
		file.NewRevocationStore, wire.Bind(new(ports.RevocationStore), new(*file.RevocationStore)),
		file.NewGroupStore, wire.Bind(new(ports.GroupStore), new(*file.GroupStore)))
	memorySet = wire.NewSet(inProcess, memory.Open,
		memory.NewKeyStore, wire.Bind(new(ports.KeyStore), new(*memory.KeyStore)),
		memory.NewAuditStore, wire.Bind(new(ports.AuditStore), new(*memory.AuditStore)),
		memory.NewRevocationStore, wire.Bind(new(ports.RevocationStore), new(*memory.RevocationStore)),
		memory.NewGroupStore, wire.Bind(new(ports.GroupStore), new(*memory.GroupStore)))

	vaultSet = wire.NewSet(toStores, vault.Open, wire.Bind(new(ports.Checker), new(*vault.Backend)),
		vault.NewKeyStore, wire.Bind(new(ports.KeyStore), new(*vault.KeyStore)),
		vault.NewAuditStore, wire.Bind(new(ports.AuditStore), new(*vault.AuditStore)),
		vault.NewRevocationStore, wire.Bind(new(ports.RevocationStore), new(*vault.RevocationStore)),
		vault.NewGroupStore, wire.Bind(new(ports.GroupStore), new(*vault.GroupStore)),
		vault.NewCipher, wire.Bind(new(ports.TokenCipher), new(*vault.Cipher)),
		vault.NewCustody, wire.Bind(new(ports.KeyCustody), new(*vault.Custody)))

	surroundings = wire.NewSet(
		wire.Struct(new(clock.System)), wire.Bind(new(ports.Clock), new(clock.System)),
		wire.Struct(new(entropy.System)), wire.Bind(new(ports.Random), new(entropy.System)))
	governance = wire.NewSet(app.NewGroups, app.NewTokens, app.NewRevoker, app.NewOverviews, app.NewAuditing,
		wire.Struct(new(httpapi.Governance), "*"))
	// changes are recorded with the code that their errors are answered with.
	changes  = wire.NewSet(app.NewChanges, codes)
	useCases = wire.NewSet(changes, app.NewKeys, app.NewSchedule, app.NewAuthenticator, app.NewLastUse, app.NewMinter, app.NewVerifier,
		app.NewRevoked, wire.Bind(new(app.Revocations), new(*app.Revoked)), app.NewDefaultKeys, app.NewRefusals,
		app.NewBootstrapper, app.NewReadiness)
)
