// A shared object that is no pass plugin.
extern "C" int moecTestNothing() { return 0; }
