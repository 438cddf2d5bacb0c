// Preloaded, makes the processor look older to programs and libraries whose `cpuid` instructions `older_cpu.py` has replaced by an
// opcode that no processor knows: the kernel then sends SIGILL, and the handler here executes `cpuid` instead of them and leaves
// out the features that OLDER_CPU names. Code for features that are left out is then never chosen.
//
//     avx2      no AVX-512, nothing of VNNI: a PC of 2013 to 2020
//     avx512    AVX-512 without VNNI: a server of 2017
//     avx-vnni  AVX2 with VNNI, no AVX-512: a PC of 2021 and later
//     else      all that there is
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

// Reserved; not `ud2`, which compilers write where a program must not come.
static const unsigned char MARK[2] = {0x0f, 0x04};

enum { ALL, AVX2, AVX512, AVX_VNNI };
static int level = ALL;

#define BIT(n) (1u << (n))
// Leaf 7, subleaf 0.
#define AVX512_OLD_EBX (BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31)) // F, DQ, CD, BW, VL
#define AVX512_NEW_EBX (BIT(21) | BIT(26) | BIT(27))                     // IFMA, PF, ER
#define AVX512_NEW_ECX (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))   // VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ
#define BYTES_ECX (BIT(8) | BIT(9) | BIT(10))                            // GFNI, VAES, VPCLMULQDQ
// 4VNNIW, 4FMAPS, VP2INTERSECT, AMX-BF16, FP16, AMX-TILE, AMX-INT8
#define NEW_EDX (BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25))
// Subleaf 1.
#define AVX_VNNI_EAX BIT(4)
#define NEW_1_EAX (BIT(5) | BIT(21) | BIT(23))           // AVX512-BF16, AMX-FP16, AVX-IFMA
#define NEW_1_EDX (BIT(4) | BIT(5) | BIT(10) | BIT(19)) // AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-VNNI-INT16, AVX10

static void leave_out(unsigned leaf, unsigned subleaf, unsigned *eax, unsigned *ebx, unsigned *ecx, unsigned *edx) {
    if (level == ALL || leaf != 7) return;
    if (subleaf == 0) {
        *ebx &= ~AVX512_NEW_EBX;
        if (level != AVX512) *ebx &= ~AVX512_OLD_EBX;
        *ecx &= ~AVX512_NEW_ECX;
        if (level != AVX_VNNI) *ecx &= ~BYTES_ECX;
        *edx &= ~NEW_EDX;
    } else if (subleaf == 1) {
        *eax &= ~NEW_1_EAX;
        if (level != AVX_VNNI) *eax &= ~AVX_VNNI_EAX;
        *edx &= ~NEW_1_EDX;
    }
}

static void instead(int number, siginfo_t *info, void *context) {
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (memcmp((void *)registers[REG_RIP], MARK, sizeof MARK)) {
        // A real fault: it comes again, and ends the process.
        signal(number, SIG_DFL);
        return;
    }
    unsigned leaf = registers[REG_RAX], subleaf = registers[REG_RCX], eax, ebx, ecx, edx;
    __cpuid_count(leaf, subleaf, eax, ebx, ecx, edx);
    leave_out(leaf, subleaf, &eax, &ebx, &ecx, &edx);
    registers[REG_RAX] = eax, registers[REG_RBX] = ebx, registers[REG_RCX] = ecx, registers[REG_RDX] = edx;
    registers[REG_RIP] += sizeof MARK;
}

// Before the program's own constructors and those of libraries that it loads later.
__attribute__((constructor)) static void install(void) {
    const char *wanted = getenv("OLDER_CPU");
    if (wanted && !strcmp(wanted, "avx2")) level = AVX2;
    if (wanted && !strcmp(wanted, "avx512")) level = AVX512;
    if (wanted && !strcmp(wanted, "avx-vnni")) level = AVX_VNNI;
    struct sigaction action = {.sa_sigaction = instead, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGILL, &action, NULL);
}
