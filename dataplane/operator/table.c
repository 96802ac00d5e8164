/* table.c: what people read. A node's words go to a terminal, so control characters in them become
 * question marks. */
#include "dataplane/operator/operator.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void disarm(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

void operator_complain(const char *subject, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    disarm(text);
    (void)fprintf(stderr, "quorate: %s%s%s\n", subject == NULL ? "" : subject,
                  subject == NULL ? "" : ": ", text);
}

void operator_table_init(struct operator_table *table, const char *const *titles)
{
    *table = (struct operator_table){.columns = 0};
    for (; titles[table->columns] != NULL && table->columns < OPERATOR_COLUMNS_MAX;
         table->columns++)
        table->title[table->columns] = titles[table->columns];
}

bool operator_table_row(struct operator_table *table)
{
    if (table->rows == OPERATOR_ROWS_MAX)
        return false;
    void *more = realloc(table->cell, (table->rows + 1) * sizeof *table->cell);
    if (more == NULL)
        return false;
    table->cell = more;
    memset(table->cell[table->rows++], 0, sizeof *table->cell);
    return true;
}

void operator_cell(struct operator_table *table, uint32_t column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(table->cell[table->rows - 1][column], OPERATOR_CELL_MAX, format, arguments);
    va_end(arguments);
    disarm(table->cell[table->rows - 1][column]);
}

/* Blanks after the last column would only be in the way of whoever copies a line. */
static void print_row(const struct operator_table *table, const int *width,
                      char row[][OPERATOR_CELL_MAX], FILE *out)
{
    for (uint32_t c = 0; c < table->columns; c++) {
        const char *text = row == NULL ? table->title[c] : row[c];
        if (c + 1 == table->columns)
            (void)fprintf(out, "%s\n", text[0] == '\0' ? "-" : text);
        else
            (void)fprintf(out, "%-*s  ", width[c], text[0] == '\0' ? "-" : text);
    }
}

static void print_tabs(const struct operator_table *table, FILE *out)
{
    for (uint32_t r = 0; r < table->rows; r++)
        for (uint32_t c = 0; c < table->columns; c++)
            (void)fprintf(out, "%s%c", table->cell[r][c], c + 1 == table->columns ? '\n' : '\t');
}

void operator_table_print(struct operator_table *table, enum operator_output output, FILE *out)
{
    int width[OPERATOR_COLUMNS_MAX];
    for (uint32_t c = 0; c < table->columns; c++) {
        width[c] = (int)strlen(table->title[c]);
        for (uint32_t r = 0; r < table->rows; r++)
            if ((int)strlen(table->cell[r][c]) > width[c])
                width[c] = (int)strlen(table->cell[r][c]);
    }
    if (output == OUTPUT_SIMPLE) {
        print_tabs(table, out);
    } else {
        print_row(table, width, NULL, out);
        for (uint32_t r = 0; r < table->rows; r++)
            print_row(table, width, table->cell[r], out);
    }
    free(table->cell);
    table->cell = NULL;
    table->rows = 0;
}
