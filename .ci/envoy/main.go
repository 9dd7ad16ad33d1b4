// Command envoy holds a configuration of Envoy to Envoy's own API: every name and
// every type in it exists, in the filters too, and every value is allowed. Envoy itself
// is not run: it is C++, and no registry that this project builds from has it.
package main

import (
	"errors"
	"fmt"
	"os"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: envoy FILE")
		os.Exit(2)
	}
	filters, err := check(os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	fmt.Printf("%s: as Envoy's API has it, with %d filters\n", os.Args[1], filters)
}

// check returns how many messages of an extension it found.
func check(name string) (int, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	json, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return 0, err
	}
	var config bootstrap.Bootstrap
	if err := protojson.Unmarshal(json, &config); err != nil {
		return 0, err
	}
	filters, err := validate(&config)
	if err == nil && filters == 0 {
		err = errors.New("there is no filter in it")
	}
	return filters, err
}

// validate holds a message to the rules of its type, and all that is packed in it.
func validate(m proto.Message) (int, error) {
	if rules, has := m.(interface{ ValidateAll() error }); has {
		if err := rules.ValidateAll(); err != nil {
			return 0, err
		}
	}
	packed := 0
	err := protorange.Range(m.ProtoReflect(), func(at protopath.Values) error {
		inner, is := at.Index(-1).Value.Interface().(protoreflect.Message)
		if !is {
			return nil
		}
		wrapped, is := inner.Interface().(*anypb.Any)
		if !is {
			return nil
		}
		open, err := wrapped.UnmarshalNew()
		if err != nil {
			return err
		}
		more, err := validate(open)
		packed += 1 + more
		if err != nil {
			return err
		}
		return protorange.Break // Range would look into it once more
	})
	return packed, err
}
