// Sizes that the toy kernels, the toy bundle and its reference share.
#pragma once

#define TOY_VOCAB 2048 // that of models/tiny-r1, whose tokenizer it borrows
#define TOY_WIDTH 8
#define TOY_PAGE_ROWS 4
#define TOY_PAGES_PER_SEQUENCE 16
#define TOY_CONTEXT 60
#define TOY_BATCH 6
#define TOY_SPLIT 4
