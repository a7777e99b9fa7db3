/* A libnvidia-ml.so.1 with two cards, as NVIDIA's header declares it. What it says is in the file that NVML_SCRIPT
   names, read anew with every call: for each card a line "total used temperature pid process_bytes". A line "lost" is a
   card that has fallen off the bus, "forbidden" one that others may use; without a file there is no driver. What runs on
   a card with the largest pid is not told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } utilization_t;
typedef struct { unsigned int pid; unsigned long long bytes; unsigned int gpu_instance, compute_instance; } process_t;
typedef struct { int error; unsigned long long total, used, own; unsigned int temperature, pid; } card_t;

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };

static int cards(card_t *found) {
    FILE *script = fopen(getenv("NVML_SCRIPT"), "r");
    if (!script) return -1;
    char line[200];
    int count = 0;
    while (count < 8 && fgets(line, sizeof line, script)) {
        card_t *card = &found[count++];
        memset(card, 0, sizeof *card);
        if (sscanf(line, "%llu %llu %u %u %llu", &card->total, &card->used, &card->temperature, &card->pid, &card->own) < 5)
            card->error = strncmp(line, "lost", 4) ? NO_PERMISSION : GPU_IS_LOST;
    }
    fclose(script);
    return count;
}

static int card(void *handle, card_t *found) {
    card_t all[8];
    long number = (long)handle - 1;
    if (number >= cards(all)) return INVALID_ARGUMENT;
    *found = all[number];
    return found->error;
}

int nvmlInit_v2(void) { card_t all[8]; return cards(all) < 0 ? DRIVER_NOT_LOADED : SUCCESS; }
int nvmlInitWithFlags(unsigned int flags) { (void)flags; return nvmlInit_v2(); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int error) { return error == GPU_IS_LOST ? "GPU is lost" : "Error"; }
int nvmlSystemGetDriverVersion(char *text, unsigned int size) { snprintf(text, size, "570.00"); return SUCCESS; }
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 12080; return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned int *count) { card_t all[8]; *count = (unsigned int)cards(all); return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) {
    card_t found;
    *handle = (void *)(long)(index + 1);
    return card(*handle, &found);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    unsigned int index;
    card_t all[8];
    if (sscanf(uuid, "GPU-%u", &index) != 1 || (int)index >= cards(all)) return NOT_FOUND;
    return nvmlDeviceGetHandleByIndex_v2(index, handle);
}

int nvmlDeviceGetName(void *handle, char *text, unsigned int size) { snprintf(text, size, "Stub %ld", (long)handle - 1); return SUCCESS; }
int nvmlDeviceGetUUID(void *handle, char *text, unsigned int size) { snprintf(text, size, "GPU-%ld", (long)handle - 1); return SUCCESS; }

int nvmlDeviceGetMemoryInfo(void *handle, memory_t *memory) {
    card_t found;
    int error = card(handle, &found);
    if (!error) *memory = (memory_t){found.total, found.total - found.used, found.used};
    return error;
}

int nvmlDeviceGetUtilizationRates(void *handle, utilization_t *rates) {
    (void)handle;
    *rates = (utilization_t){37, 0};
    return SUCCESS;
}

int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned int *degrees) {
    card_t found;
    int error = card(handle, &found);
    (void)sensor;
    *degrees = found.temperature;
    return error ? error : found.temperature ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned int *count, process_t *processes) {
    card_t found;
    int error = card(handle, &found);
    if (error) return error;
    if (found.pid == ~0u) return NO_PERMISSION;
    if (!found.pid) { *count = 0; return SUCCESS; }
    if (*count < 1) { *count = 1; return INSUFFICIENT_SIZE; }
    *count = 1;
    processes[0] = (process_t){found.pid, found.own, 0, 0};
    return SUCCESS;
}
