import { createTheme, type MantineColorsTuple } from '@mantine/core';

/** A quiet blue-green; white on shade 7 and black on shade 3 both have a contrast above 6. */
const petrol: MantineColorsTuple = [
  '#e9f6f8',
  '#d2e9ee',
  '#a3d1db',
  '#72b9c8',
  '#4aa3b7',
  '#2a8ca2',
  '#17788f',
  '#0f6a7e',
  '#0a5464',
  '#063d49',
];

export const theme = createTheme({
  colors: { petrol },
  primaryColor: 'petrol',
  primaryShade: { light: 7, dark: 3 },
  autoContrast: true,
  defaultRadius: 'md',
  focusRing: 'auto',
  cursorType: 'pointer',
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans Arabic", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Mono", "Noto Sans Mono", monospace',
});
