declare module 'axios/dist/node/axios.cjs' {
  import axios from 'axios';

  export default axios;
}
