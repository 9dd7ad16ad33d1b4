package main

import "context"

func (b *bench) overload(context.Context) error { return nil }
