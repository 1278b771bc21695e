// RUN: moec-opt %s --assign-schedules --split-input-file --verify-diagnostics

// expected-error @below {{module has no 'kern.target' attribute}}
module {
}

// -----

// expected-error @below {{unknown target 'abacus'}}
module attributes {kern.target = "abacus"} {
}
