// RUN: moec-opt %s --split-entries --split-input-file --verify-diagnostics

// expected-error @below {{split-entries found no function @forward to split}}
module {
}

// -----

func.func @forward() {
  return
}
// expected-error @below {{split-entries cannot make @decode: the name is taken}}
func.func @decode() {
  return
}
