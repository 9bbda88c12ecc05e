import { LabIcon } from '@jupyterlab/ui-components';

/** A lambda in the color that the theme gives to icons. */
export const lambdaIcon = new LabIcon({
  name: 'lambdamagic:lambda',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
    '<path class="jp-icon3" fill="#616161" d="M8.2 3 L12.1 3 L18.9 21 L15.7 21 L12.1 11.2 L8.1 21 L5 21 ' +
    'L10.6 7.3 L9.9 5.6 L8.2 5.6 Z"/></svg>'
});
