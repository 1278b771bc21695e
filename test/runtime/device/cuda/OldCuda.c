// A driver from before cuGetProcAddress.
int cuInit(unsigned flags) { return (int)(flags & 0); }
