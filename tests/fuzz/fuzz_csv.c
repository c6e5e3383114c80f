/* Any bytes, cut anywhere, give the same records, and every byte belongs to exactly one of them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "proc/csv.h"

static struct csv_record record;

static uint64_t digest(const char *data, size_t n, size_t first)
{
    size_t pos = 0, have = first < n ? first : n;
    uint64_t sum = 0;

    for (;;) {
        enum csv_status status = csv_parse(&record, data + pos, have - pos, have == n);
        if (status == CSV_END)
            return sum;
        if (status == CSV_MORE) {
            if (have == n)
                abort();
            have = n;
            continue;
        }
        if (record.bytes == 0 || record.bytes > have - pos || record.lines == 0)
            abort();
        sum = hash_u64(sum ^ record.bytes) + record.field_count + (status == CSV_BROKEN ? 1000 : 0);
        for (unsigned i = 0; i < record.field_count && i < CSV_MAX_FIELDS; i++)
            sum = hash_fast(sum, record.fields[i].p, record.fields[i].len);
        pos += record.bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 2)
        return 0;
    size_t split = (size_t)(bytes[0] | bytes[1] << 8);
    size_t len = n - 2;
    char *data = malloc(len > 0 ? len : 1);
    if (data == NULL)
        return 0;
    memcpy(data, bytes + 2, len);
    if (len < CSV_MAX_RECORD_BYTES && digest(data, len, split) != digest(data, len, len))
        abort();
    if (csv_undouble(data, len) > len)
        abort();
    free(data);
    return 0;
}
