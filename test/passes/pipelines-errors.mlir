// Options of the pipelines and of passes that nothing has.
// RUN: not moec-opt %s --moec-to-kern=disable=fuse-router,fuse-all 2>&1 | FileCheck %s --check-prefix=DISABLE
// DISABLE: disable=fuse-all: no optional pass has this name; there are: {{.*}}fuse-router

// RUN: not moec-opt %s --moec-to-kern=fast=1 2>&1 | FileCheck %s --check-prefix=OPTION
// OPTION: no such option fast

// RUN: not moec-opt %s --quantize-activations=level=9 2>&1 | FileCheck %s --check-prefix=PASS
// PASS: no such option level

// RUN: not moec-opt %s --fuse-all 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: Unknown command line argument '--fuse-all'

// RUN: not moec-opt %s --pass-pipeline='builtin.module(fuse-all)' 2>&1 | FileCheck %s --check-prefix=TEXT
// TEXT: 'fuse-all' does not refer to a registered pass or pass pipeline
module {
}
