/* A libcuda.so.1 with the cards that CUDA_SCRIPT names, one a line: its memory in bytes. A line "lost" is a card of which
   nothing can be told; without a file there is no card. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, NO_DEVICE = 100, INVALID_DEVICE = 101, HARDWARE_FAILURE = 702 };

static int cards(unsigned long long *memory) {
    FILE *script = fopen(getenv("CUDA_SCRIPT"), "r");
    if (!script) return 0;
    char line[200];
    int count = 0;
    while (count < 8 && fgets(line, sizeof line, script)) memory[count++] = strtoull(line, NULL, 10);
    fclose(script);
    return count;
}

int cuInit(unsigned int flags) { unsigned long long all[8]; (void)flags; return cards(all) ? SUCCESS : NO_DEVICE; }
int cuDeviceGetCount(int *count) { unsigned long long all[8]; *count = cards(all); return SUCCESS; }
int cuDeviceGet(int *device, int number) { *device = number; return SUCCESS; }
int cuDeviceGetName(char *name, int size, int device) { snprintf(name, size, "Stub %d", device); return SUCCESS; }

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    unsigned long long all[8];
    if (device >= cards(all)) return INVALID_DEVICE;
    *bytes = all[device];
    return *bytes ? SUCCESS : HARDWARE_FAILURE;
}

int cuDeviceGetUuid(unsigned char *uuid, int device) {
    memset(uuid, 0, 16);
    uuid[15] = (unsigned char)device;
    return SUCCESS;
}
