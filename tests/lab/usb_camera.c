#define _GNU_SOURCE
int main(void) { return 0; }
