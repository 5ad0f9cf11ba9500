module newleaf/bench/go-mtls

go 1.26.0
