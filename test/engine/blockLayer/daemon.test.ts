import { blockLayerSuite } from '../../contract/blockLayer.ts'
import { realBlockLayer } from './daemonSite.ts'

blockLayerSuite(realBlockLayer)
