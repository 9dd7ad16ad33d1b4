//go:build wireinject

package main

import (
	"context"
	"log/slog"

	"github.com/google/wire"

	"embedseal/adapters/bbolt"
	"embedseal/adapters/file"
	"embedseal/adapters/httpapi"
	"embedseal/adapters/jose"
	"embedseal/adapters/vault"
	"embedseal/app"
	"embedseal/domain/token"
	"embedseal/ports"
)

func bboltStores(context.Context, bbolt.Config) (stores, func(), error) { panic(wire.Build(bboltSet)) }
func fileStores(context.Context, file.Config) (stores, func(), error)   { panic(wire.Build(fileSet)) }
func memoryStores() stores                                              { panic(wire.Build(memorySet)) }
func vaultStores(context.Context, vault.Config) (stores, func(), error) { panic(wire.Build(vaultSet)) }

// newService joins the use-cases to whatever stores and auditor it is given.
func newService(httpapi.Config, httpapi.AdminConfig, httpapi.OpsConfig, httpapi.MetricsHandler, ports.Meter, stores, ports.Auditor, ports.AuditReader, []app.Component, token.ChartClaim, app.Leeway, *slog.Logger) (service, error) {
	panic(wire.Build(fromStores, surroundings, useCases, governance, httpapi.New, httpapi.NewAdmin, httpapi.NewOps, wire.Struct(new(service), "*")))
}

func newBootstrapper(stores, ports.Auditor) *app.Bootstrapper {
	panic(wire.Build(wire.FieldsOf(new(stores), "Keys", "Groups", "Custody"), surroundings, changes, app.NewDefaultKeys, app.NewBootstrapper))
}

func newInspector(token.ChartClaim, app.Leeway) *app.Inspector {
	panic(wire.Build(surroundings, jose.New, wire.Bind(new(ports.TokenCipher), new(*jose.Cipher)), app.NewInspector))
}
