# Makes a header with the text of INPUT as moec::rt::cuda::kBuiltinPtx.
file(READ ${INPUT} TEXT)
file(WRITE ${OUTPUT} "// Generated from builtin.ptx.\n#pragma once\n\nnamespace moec::rt::cuda {\ninline constexpr char kBuiltinPtx[] = R\"ptx(${TEXT})ptx\";\n} // namespace moec::rt::cuda\n")
